#pragma once

#include <perfloc/perfloc.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "clock.hpp"
#include "contest.hpp"
#include "prng.hpp"
#include "stats.hpp"

// A server's requests: each makes a scope's worth of linked objects, answers from them, and is gone; of some, a subgraph
// of ten objects stays in an LRU cache.
namespace bench::requests {

enum Figure : std::size_t { kTotal, kP999, kWorst, kPeak, kCpu };

struct Traffic {
    std::uint32_t requests = 200'000;
    std::uint32_t cache = 20'000;    // entries; there are four keys for each
    std::uint32_t keep_every = 100;  // requests
    bool full = false;               // the cache, before the first request
    std::uint32_t keys() const { return 4 * cache; }
};

inline constexpr std::uint32_t kObjects = 500;  // in a request
inline constexpr std::uint32_t kKept = 10;      // the first ten, linked among themselves
inline constexpr std::size_t kMostBytes = kObjects * (16 + 256);

struct Item {  // 16 to 256 bytes of payload follow
    perfloc::Ref<Item> previous, other;
    std::uint64_t words;
};

struct PlainItem {
    PlainItem* previous;
    PlainItem* other;
    std::uint64_t words;
};

template <class T>
std::uint64_t* payload(T* item) {
    return reinterpret_cast<std::uint64_t*>(item + 1);
}

template <class T>
const std::uint64_t* payload(const T* item) {
    return reinterpret_cast<const std::uint64_t*>(item + 1);
}

// Which key sits in which slot, and which slot was used longest ago. The values are kept by each contender.
class LruIndex {
public:
    static constexpr std::uint32_t kNone = ~0u;

    LruIndex(std::uint32_t slots, std::uint32_t keys)
        : ends_(slots), slot_of_key_(keys, kNone), key_of_slot_(slots, kNone), links_(slots + 1) {
        for (std::uint32_t i = 0; i <= slots; ++i) links_[i] = {i == 0 ? slots : i - 1, i == slots ? 0 : i + 1};
    }

    std::uint32_t find(std::uint32_t key) {
        const std::uint32_t slot = slot_of_key_[key];
        if (slot != kNone) use(slot);
        return slot;
    }

    // The slot for a new key, whose old value is to be dropped.
    std::uint32_t replace(std::uint32_t key) {
        std::uint32_t slot = slot_of_key_[key];
        if (slot == kNone) slot = links_[ends_].previous;  // the one used longest ago
        if (key_of_slot_[slot] != kNone) slot_of_key_[key_of_slot_[slot]] = kNone;
        key_of_slot_[slot] = key;
        slot_of_key_[key] = slot;
        use(slot);
        return slot;
    }

private:
    struct Links {
        std::uint32_t previous, next;
    };

    void use(std::uint32_t slot) {
        links_[links_[slot].previous].next = links_[slot].next;
        links_[links_[slot].next].previous = links_[slot].previous;
        links_[slot] = {ends_, links_[ends_].next};
        links_[links_[ends_].next].previous = slot;
        links_[ends_].next = slot;
    }

    std::uint32_t ends_;  // next: used last, previous: used longest ago
    std::vector<std::uint32_t> slot_of_key_, key_of_slot_;
    std::vector<Links> links_;
};

// Two words at a time, and not all alike: GCC would make `rep stos` of that, which takes longer than all the rest of a
// request.
inline void write(std::uint64_t* to, std::uint32_t words, std::uint64_t value) {
    for (std::uint32_t i = 0; i < words; i += 2) {
        to[i] = value;
        to[i + 1] = value + 1;
    }
}

// The chain of a request's objects, each with its payload written. Object i refers to i - 1 and to some earlier one, so
// that what object 9 reaches is objects 0 to 9. Returns the last; `kept` becomes object 9.
template <class T, class Make>
T* build(Make make, Prng& random, std::uint64_t number, T*& kept) {
    std::array<T*, kObjects> items;
    T* previous = nullptr;
    for (std::uint32_t i = 0; i < kObjects; ++i) {
        const std::uint64_t draw = random();
        const std::uint32_t words = 2 + 2 * static_cast<std::uint32_t>((draw >> 32) * 16 >> 32);
        T* other = i ? items[(draw & 0xffffffff) * i >> 32] : nullptr;
        T* item = make(previous, other, words);
        write(payload(item), words, number + i);
        items[i] = previous = item;
    }
    kept = items[kKept - 1];
    return previous;
}

// Follows the other references, some seven of them, and reads the last word of each payload.
template <class T>
std::uint64_t answer(const T* last) {
    std::uint64_t sum = 0;
    for (const T* item = last; item; item = item->other) sum = sum * 31 + payload(item)[item->words - 1];
    return sum;
}

// Every word of a chain.
template <class T>
std::uint64_t check(const T* last) {
    std::uint64_t sum = 0;
    for (const T* item = last; item; item = item->previous) {
        sum += answer(item);
        for (std::uint64_t i = 0; i < item->words; ++i) sum = sum * 31 + payload(item)[i];
    }
    return sum;
}

// What all contenders share: the order of requests, keys and cache look-ups, and the clock around each request.
//   request(random, number, slot) builds, keeps object 9 in `slot` unless it is kNone, drops the rest, returns the
//     answer
//   cached(slot) returns object 9 of what is kept there, or null
template <class Request, class Cached>
Sample serve(const Traffic& traffic, Request&& request, Cached&& cached) {
    Prng random(42);
    LruIndex index(traffic.cache, traffic.keys());
    std::vector<double> times(traffic.requests);
    Sample sample;
    for (std::uint32_t key = 0; traffic.full && key < traffic.cache; ++key) request(random, key, index.replace(key));
    const std::int64_t cpu = process_cpu_ns();
    const double start = now();
    for (std::uint32_t number = 0; number < traffic.requests; ++number) {
        const auto begin = Clock::now();
        const std::uint32_t key = random.below(traffic.keys());
        if (const std::uint32_t slot = index.find(key); slot != LruIndex::kNone)
            sample.checksum += answer(cached(slot));
        const std::uint32_t slot = number % traffic.keep_every == 0 ? index.replace(key) : LruIndex::kNone;
        sample.checksum = sample.checksum * 7 + request(random, number, slot);
        times[number] = seconds_since(begin);
    }
    sample.figures[kTotal] = now() - start;
    sample.figures[kCpu] = static_cast<double>(process_cpu_ns() - cpu) * 1e-9;  // of all threads
    for (std::uint32_t slot = 0; slot < traffic.cache; ++slot) sample.checksum += check(cached(slot));
    sample.figures[kP999] = percentile(times, 0.999);  // sorts
    sample.figures[kWorst] = times.back();
    return sample;
}

// `at_end(heap, sample)` is called at the end, while the cache is alive.
template <class AtEnd>
Sample run_perfloc(const Traffic& traffic, const perfloc::Options& options, AtEnd&& at_end) {
    perfloc::Heap heap(options);
    perfloc::Mutator me(heap);
    perfloc::Scope server{"server"};
    auto cache = perfloc::make_array<perfloc::Ref<Item>>(traffic.cache);
    const auto make = [](Item* previous, Item* other, std::uint64_t words) {
        return perfloc::make_raw<Item>(perfloc::ExtraBytes{words * 8}, previous, other, words);
    };
    const auto request = [&](Prng& random, std::uint64_t number, std::uint32_t slot) {
        perfloc::poll();  // the main loop's; nothing is held by a plain pointer here
        perfloc::Scope scope{"request"};
        Item* kept;
        const Item* last = build<Item>(make, random, number, kept);
        if (slot != LruIndex::kNone) (*cache)[slot] = kept;
        return answer(last);
    };
    Sample sample = serve(traffic, request, [&](std::uint32_t slot) -> const Item* { return (*cache)[slot]; });
    at_end(heap, sample);
    return sample;
}

}  // namespace bench::requests

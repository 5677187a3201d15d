// Requests: each makes a scope's worth of linked objects, answers from them, and is gone; of every hundredth, a
// subgraph of ten objects stays in an LRU cache. Each contender runs in a child of its own, for its page faults and
// peak memory.
#include <perfloc/perfloc.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "support/child.hpp"
#include "support/clock.hpp"
#include "support/contest.hpp"
#include "support/options.hpp"
#include "support/peers.hpp"
#include "support/prng.hpp"
#include "support/table.hpp"

namespace {

using namespace perfloc::literals;

enum Figure : std::size_t { kTotal, kP999, kWorst, kPeak };

constexpr std::uint32_t kObjects = 500;    // in a request
constexpr std::uint32_t kKept = 10;        // the first ten, linked among themselves
constexpr std::uint32_t kKeepEvery = 100;  // requests
constexpr std::uint32_t kCacheSize = 20'000;
constexpr std::uint32_t kKeys = 4 * kCacheSize;
constexpr std::size_t kMostBytes = kObjects * (16 + 256);

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

    LruIndex() : slot_of_key_(kKeys, kNone), key_of_slot_(kCacheSize, kNone), links_(kCacheSize + 1) {
        for (std::uint32_t i = 0; i <= kCacheSize; ++i) {
            links_[i] = {i == 0 ? kCacheSize : i - 1, i == kCacheSize ? 0 : i + 1};
        }
    }

    std::uint32_t find(std::uint32_t key) {
        const std::uint32_t slot = slot_of_key_[key];
        if (slot != kNone) use(slot);
        return slot;
    }

    // The slot for a new key, whose old value is to be dropped.
    std::uint32_t replace(std::uint32_t key) {
        std::uint32_t slot = slot_of_key_[key];
        if (slot == kNone) slot = links_[kEnds].previous;  // the one used longest ago
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
    static constexpr std::uint32_t kEnds = kCacheSize;  // next: used last, previous: used longest ago

    void use(std::uint32_t slot) {
        links_[links_[slot].previous].next = links_[slot].next;
        links_[links_[slot].next].previous = links_[slot].previous;
        links_[slot] = {kEnds, links_[kEnds].next};
        links_[links_[kEnds].next].previous = slot;
        links_[kEnds].next = slot;
    }

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
T* build(Make make, bench::Prng& random, std::uint64_t number, T*& kept) {
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
bench::Sample serve(std::uint32_t requests, Request&& request, Cached&& cached) {
    bench::Prng random(42);
    LruIndex index;
    std::vector<double> times(requests);
    bench::Sample sample;
    const double start = bench::now();
    for (std::uint32_t number = 0; number < requests; ++number) {
        const auto begin = bench::Clock::now();
        const std::uint32_t key = random.below(kKeys);
        if (const std::uint32_t slot = index.find(key); slot != LruIndex::kNone)
            sample.checksum += answer(cached(slot));
        const std::uint32_t slot = number % kKeepEvery == 0 ? index.replace(key) : LruIndex::kNone;
        sample.checksum = sample.checksum * 7 + request(random, number, slot);
        times[number] = bench::seconds_since(begin);
    }
    sample.figures[kTotal] = bench::now() - start;
    for (std::uint32_t slot = 0; slot < kCacheSize; ++slot) sample.checksum += check(cached(slot));
    sample.figures[kP999] = bench::percentile(times, 0.999);  // sorts
    sample.figures[kWorst] = times.back();
    return sample;
}

bench::Sample run_perfloc(std::uint32_t requests) {
    perfloc::Heap heap({.limit = 4_GiB});
    perfloc::Mutator me(heap);
    perfloc::Scope server{"server"};
    auto cache = perfloc::make_array<perfloc::Ref<Item>>(kCacheSize);
    const auto make = [](Item* previous, Item* other, std::uint64_t words) {
        return perfloc::make_raw<Item>(perfloc::ExtraBytes{words * 8}, previous, other, words);
    };
    const auto request = [&](bench::Prng& random, std::uint64_t number, std::uint32_t slot) {
        perfloc::poll();  // the main loop's; nothing is held by a plain pointer here
        perfloc::Scope scope{"request"};
        Item* kept;
        const Item* last = build<Item>(make, random, number, kept);
        if (slot != LruIndex::kNone) (*cache)[slot] = kept;
        return answer(last);
    };
    return serve(requests, request, [&](std::uint32_t slot) -> const Item* { return (*cache)[slot]; });
}

void free_chain(PlainItem* item, void (*release)(void*)) {
    while (item) {
        PlainItem* previous = item->previous;
        release(item);
        item = previous;
    }
}

// Copies the chain that ends in `last`, with the references among its objects.
PlainItem* copy_out(const PlainItem* last) {
    std::array<const PlainItem*, kKept> originals;
    std::array<PlainItem*, kKept> copies;
    std::size_t at = kKept;
    for (const PlainItem* item = last; item; item = item->previous) originals[--at] = item;
    PlainItem* previous = nullptr;
    for (std::size_t i = 0; i < kKept; ++i) {
        const PlainItem* from = originals[i];
        auto* to = static_cast<PlainItem*>(bench::Glibc::allocate(sizeof(PlainItem) + from->words * 8));
        std::memcpy(to, from, sizeof(PlainItem) + from->words * 8);
        to->previous = previous;
        if (from->other) {
            to->other = copies[static_cast<std::size_t>(
                std::find(originals.begin(), originals.begin() + i, from->other) - originals.begin())];
        }
        copies[i] = previous = to;
    }
    return previous;
}

template <class Pmr>
bench::Sample run_pmr(std::uint32_t requests) {
    Pmr pmr(kMostBytes + kObjects * 8);
    std::vector<PlainItem*> cache(kCacheSize);
    const auto make = [&arena = pmr.arena](PlainItem* previous, PlainItem* other, std::uint64_t words) {
        return new (arena.allocate(sizeof(PlainItem) + words * 8, alignof(PlainItem)))
            PlainItem{previous, other, words};
    };
    const auto request = [&](bench::Prng& random, std::uint64_t number, std::uint32_t slot) {
        PlainItem* kept;
        const PlainItem* last = build<PlainItem>(make, random, number, kept);
        const std::uint64_t sum = answer(last);
        if (slot != LruIndex::kNone) {
            free_chain(cache[slot], bench::Glibc::release);
            cache[slot] = copy_out(kept);
        }
        pmr.arena.release();
        return sum;
    };
    return serve(requests, request, [&](std::uint32_t slot) -> const PlainItem* { return cache[slot]; });
}

// Single blocks need no copy: what is kept is not freed.
template <class Allocator>
bench::Sample run_allocator(std::uint32_t requests) {
    std::vector<PlainItem*> cache(kCacheSize);
    const auto make = [](PlainItem* previous, PlainItem* other, std::uint64_t words) {
        return new (Allocator::allocate(sizeof(PlainItem) + words * 8)) PlainItem{previous, other, words};
    };
    const auto request = [&](bench::Prng& random, std::uint64_t number, std::uint32_t slot) {
        PlainItem* kept;
        PlainItem* last = build<PlainItem>(make, random, number, kept);
        const std::uint64_t sum = answer(last);
        if (slot != LruIndex::kNone) {
            free_chain(cache[slot], Allocator::release);
            cache[slot] = kept;
        }
        while (last && !(slot != LruIndex::kNone && last == kept)) {
            PlainItem* previous = last->previous;
            Allocator::release(last);
            last = previous;
        }
        return sum;
    };
    return serve(requests, request, [&](std::uint32_t slot) -> const PlainItem* { return cache[slot]; });
}

}  // namespace

int main(int argc, char** argv) {
    int requests = 200'000;
    const auto options = bench::start(argc, argv, "requests of 500 objects, 1 % keeps ten of them", 7,
                                      {{"--requests", "requests in one run of a contender", &requests}});
    const auto count = static_cast<std::uint32_t>(options.sized(requests));
    bench::keep_freed_memory();

    bench::Contest contest("requests");
    const auto add = [&](const char* name, bench::Sample (*run)(std::uint32_t)) {
        contest.add(name, [=] { return bench::run_in_child([=] { return run(count); }, kPeak); });
    };
    add("perfloc", run_perfloc);
    add(bench::PmrUpstream::kName, run_pmr<bench::PmrUpstream>);
    add(bench::PmrBuffer::kName, run_pmr<bench::PmrBuffer>);
    add(bench::Mimalloc::kName, run_allocator<bench::Mimalloc>);
    add(bench::Glibc::kName, run_allocator<bench::Glibc>);
    contest.run(options.rounds, false);

    const std::string pmr = contest.fastest({bench::PmrUpstream::kName, bench::PmrBuffer::kName});
    bench::Table table;
    const auto compare = [&](const char* what, const std::string& theirs, Figure figure, std::optional<bench::Bar> bar) {
        table.row(std::string(what) + ": perfloc / " + theirs, contest.ratio("perfloc", theirs, figure), "x", bar);
    };
    compare("total", pmr, kTotal, 1.0);
    compare("total", bench::Mimalloc::kName, kTotal, 0.6);
    compare("total", bench::Glibc::kName, kTotal, std::nullopt);
    compare("99.9 % of requests", pmr, kP999, 1.1);
    compare("99.9 % of requests", bench::Mimalloc::kName, kP999, 1.1);
    compare("worst request", pmr, kWorst, std::nullopt);
    compare("worst request", bench::Mimalloc::kName, kWorst, std::nullopt);
    compare("peak memory", pmr, kPeak, 1.15);
    for (const char* name :
         {"perfloc", bench::PmrUpstream::kName, bench::PmrBuffer::kName, bench::Mimalloc::kName, bench::Glibc::kName}) {
        const std::string who = name;
        table.row(who + ", a request", contest.figure(name, kTotal).scaled(1e6 / count), "us");
        table.row(who + ", 99.9 % of requests", contest.figure(name, kP999).scaled(1e6), "us");
        table.row(who + ", worst request", contest.figure(name, kWorst).scaled(1e6), "us");
        table.row(who + ", peak memory", contest.figure(name, kPeak).scaled(1.0 / (1 << 20)), "MiB");
    }
    table.print();
}

#include "support/catch.hpp"

#include "api/objects.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

using namespace perfloc;
using objects::Node;
using objects::small;

namespace {

/// Counts the living of its kind.
class Living {
public:
    Living(std::atomic<int>& living, int name) : living_(&living), name_(name) { ++*living_; }
    Living(const Living&) = delete;
    Living& operator=(const Living&) = delete;
    ~Living() { --*living_; }
    void trace(Tracer& tracer) const { tracer(next); }

    int name() const { return name_; }
    Ref<Living> next;

private:
    std::atomic<int>* living_;
    int name_;
};

struct Pair {
    GlobalHandle<Living> strong;
    GlobalWeakHandle<Living> weak;
};

/// Where threads leave global handles for each other.
class Exchange {
public:
    /// What was there comes back.
    Pair swap(std::size_t place, Pair pair) {
        const std::lock_guard guard(lock_);
        std::swap(places_[place % places_.size()], pair);
        return pair;
    }
    Pair copy(std::size_t place) const {
        const std::lock_guard guard(lock_);
        return places_[place % places_.size()];
    }
    void clear() { places_ = {}; }

private:
    mutable std::mutex lock_;
    std::array<Pair, 16> places_;
};

/// Takes, copies, moves and drops, which mostly drops the last handle there is.
void juggle(Exchange& exchange, const std::atomic<bool>& stop, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<GlobalWeakHandle<Living>> weak(8);
    while (!stop) {
        Pair mine = random() % 2 != 0 ? exchange.copy(random()) : exchange.swap(random(), {});
        weak[random() % weak.size()] = mine.weak;
        const std::vector<GlobalWeakHandle<Living>> copies(weak);
        if (random() % 4 == 0) exchange.swap(random(), std::move(mine));
    }
}

}  // namespace

TEST_CASE("threads: global handles go to and fro while scopes end and are collected") {
    const Collector collector = GENERATE(Collector::hinted, Collector::full);
    const bool beside = GENERATE(true, false);
    CAPTURE(static_cast<int>(collector), beside);
    std::atomic<int> living{0};
    {
        Options options = small(collector);
        options.collector_thread = beside;
        options.pauses.max = std::chrono::microseconds(20);  // scopes are collected beside the program
        Heap heap(options);
        Mutator me(heap);
        Exchange exchange;
        std::atomic<bool> stop{false};
        std::vector<std::thread> threads;
        for (unsigned seed = 1; seed <= 2; ++seed) threads.emplace_back([&, seed] { juggle(exchange, stop, seed); });

        std::mt19937 random(7);
        for (int i = 0; i < 3000; ++i) {
            Scope scope{"handed out"};
            auto first = make<Living>(living, i);
            for (int k = static_cast<int>(random() % 400); k > 0; --k) {
                auto next = make<Living>(living, i);
                next->next = first->next;
                first->next = next;
            }
            GlobalHandle<Living> mine(first);
            exchange.swap(random(), {mine, GlobalWeakHandle<Living>(first)});
            if (random() % 2 != 0) mine.reset();
            scope.end();
            for (const Living* each = mine ? mine.get() : nullptr; each != nullptr; each = each->next) {
                REQUIRE(each->name() == i);
            }
            if (random() % 4 == 0) poll();
            if (random() % 500 == 0) heap.collect_full();
        }
        stop = true;
        for (std::thread& thread : threads) thread.join();
        exchange.clear();
        heap.collect_full();
        CHECK(living == 0);
        CHECK(heap.verify().ok());
    }
    CHECK(living == 0);
}

TEST_CASE("threads: the last global handle is dropped while its scope ends") {
    Heap heap(small());
    Mutator me(heap);
    std::atomic<GlobalHandle<Node>*> handed{nullptr};
    std::atomic<bool> done{false};
    std::thread other([&] {
        while (!done) delete handed.exchange(nullptr);
    });
    for (int i = 0; i < 3000; ++i) {
        Scope scope("dropped elsewhere");
        handed = new GlobalHandle<Node>(make_raw<Node>());
        for (int spin = i % 64; spin > 0; --spin) std::atomic_signal_fence(std::memory_order_seq_cst);
        scope.end();
        while (handed.load(std::memory_order_relaxed) != nullptr) std::this_thread::yield();
    }
    done = true;
    other.join();
    heap.collect_full();
    CHECK(heap.stats().last_full().live_objects == 0);
    CHECK(heap.verify().ok());
}

TEST_CASE("threads: global handles are copied and dropped while the mutator collects") {
    Heap heap(small());
    Mutator me(heap);
    GlobalHandle<Node> global(make<Node>(nullptr, nullptr, 1));
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&global] {
            for (int i = 0; i < 2000; ++i) {
                GlobalHandle<Node> copy = global;
                GlobalWeakHandle<Node> none;
                GlobalHandle<Node> other = std::move(copy);
            }
        });
    }
    for (int i = 0; i < 20; ++i) {
        make_raw<Node>();
        heap.collect_full();
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(global->value == 1);
    CHECK(heap.verify().ok());
}

TEST_CASE("threads: global handles are copied and dropped while the end of the scope promotes what they name") {
    Heap heap(small());
    Mutator me(heap);
    std::atomic<GlobalHandle<Node>*> handed{nullptr};
    std::atomic<bool> done{false};
    std::thread other([&] {
        while (!done.load()) {
            const std::unique_ptr<GlobalHandle<Node>> taken(handed.exchange(nullptr));
            if (taken != nullptr) std::vector<GlobalHandle<Node>>(4, *taken);
        }
    });
    for (int i = 0; i < 3000; ++i) {
        Scope scope("promotes");
        std::vector<GlobalHandle<Node>> kept;
        for (int k = 0; k < 50; ++k) kept.emplace_back(make_raw<Node>(nullptr, nullptr, i));
        auto mine = std::make_unique<GlobalHandle<Node>>(kept.front());
        delete handed.exchange(mine.release());
        if (i % 2 == 0) std::this_thread::yield();
        scope.end();
        for (const GlobalHandle<Node>& handle : kept) REQUIRE(handle->value == i);
    }
    done.store(true);
    other.join();
    delete handed.load();
    CHECK(heap.verify().ok());
}

TEST_CASE("threads: a weak global handle may be copied anywhere while its object dies") {
    Heap heap(small());
    Mutator me(heap);
    constexpr std::size_t kHandles = 64;
    std::vector<GlobalWeakHandle<Node>> handles(kHandles);
    std::atomic<int> round{0}, copied{0};
    std::atomic<bool> stop{false};
    std::thread other([&] {
        for (int seen = 0; !stop;) {
            if (round == seen) continue;
            seen = round;
            for (int i = 0; i < 4; ++i) {
                for (const auto& handle : handles) const GlobalWeakHandle<Node> copy(handle);
            }
            copied = seen;
        }
    });
    for (int i = 1; i <= 500; ++i) {
        {
            Scope scope{"dying"};
            for (auto& handle : handles) handle = GlobalWeakHandle<Node>(make_raw<Node>());
            round = i;
        }
        while (copied != i) std::this_thread::yield();
        for (const auto& handle : handles) REQUIRE_FALSE(handle);
    }
    stop = true;
    other.join();
}

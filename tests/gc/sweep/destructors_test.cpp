#include "support/catch.hpp"

#include "api/objects.hpp"
#include "gc/inspect.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>

using namespace perfloc;
using namespace perfloc::literals;
using objects::Mortal;
using objects::Node;

namespace {

/// Movable, with a destructor.
struct Light {
    Ref<Light> next;
    std::vector<int>* log = nullptr;
    int name = 0;
    ~Light() {
        if (log != nullptr) log->push_back(name);
    }
};

Light* light(std::vector<int>& log, int name, Light* next = nullptr) {
    return make_raw_with<Light>([&] { return Light{next, &log, name}; });
}

struct Counter {
    int* dead = nullptr;
    ~Counter() { ++*dead; }
};

std::vector<int> descending(int from, int to) {
    std::vector<int> all;
    for (int i = from; i >= to; --i) all.push_back(i);
    return all;
}

struct Bench {
    Heap heap{objects::small()};
    Mutator me{heap};
};

}  // namespace

TEST_CASE("at a scope's end destructors run newest first, each once") {
    Bench bench;
    std::vector<int> log;
    {
        Scope scope{"dying"};
        for (int i = 1; i <= 500; ++i) {
            if (i % 2 == 0)
                make_raw<Mortal>(log, i);
            else
                light(log, i);
        }
        CHECK(log.empty());
    }
    CHECK(log == descending(500, 1));
    bench.heap.collect_full();
    CHECK(log.size() == 500);
    CHECK(bench.heap.stats().pauses(PauseCause::destructors).count() == 1);
}

TEST_CASE("a destructor may read what its object refers to, dead or alive") {
    Bench bench;
    static std::vector<int> seen;
    seen.clear();
    class Reader {
    public:
        Reader(Node* a, Reader* b) : node_(a), other_(b), value_(a->value) {}
        ~Reader() { seen.push_back(node_->value + (other_ != nullptr ? other_->value_ : 0)); }
        void trace(Tracer& tracer) const { tracer(node_, other_); }

    private:
        Ref<Node> node_;
        Ref<Reader> other_;
        int value_;
    };
    auto outer = make<Node>(nullptr, nullptr, 1000);
    {
        Scope scope{"readers"};
        Node* const inner = make_raw<Node>(nullptr, nullptr, 10);
        Reader* const first = make_raw<Reader>(inner, nullptr);
        make_raw<Reader>(outer.get(), first);
    }
    CHECK(seen == std::vector<int>{1010, 10});
    seen.clear();
    {
        Node* const inner = make_raw<Node>(nullptr, nullptr, 10);
        Reader* const first = make_raw<Reader>(inner, nullptr);
        make_raw<Reader>(inner, first);
    }
    bench.heap.collect_full();
    CHECK(seen == std::vector<int>{20, 10});
}

TEST_CASE("the destructor of a survivor waits until it dies, wherever it has moved to") {
    Bench bench;
    std::vector<int> log;
    Handle<Light> survivor;
    {
        Scope outer{"outer"};
        {
            Scope inner{"inner"};
            light(log, 1);
            survivor = light(log, 2);
            light(log, 3);
        }
        CHECK(log == std::vector<int>{3, 1});
        bench.heap.collect_full();
        CHECK(log.size() == 2);
        light(log, 4);
    }
    CHECK(log == std::vector<int>{3, 1, 4});
    survivor->next = light(log, 5);
    bench.heap.collect_full();
    CHECK(log.size() == 3);
    survivor.reset();
    bench.heap.collect_full();
    CHECK(log == std::vector<int>{3, 1, 4, 5, 2});
}

TEST_CASE("a full collection destroys what has died in inner scopes before what has died in outer ones") {
    Bench bench;
    std::vector<int> log;
    light(log, 1);
    Scope a{"a"};
    make_raw<Mortal>(log, 2);
    Scope b{"b"};
    light(log, 3);
    make_in<Mortal>(a, log, 4).reset();
    light(log, 5);
    bench.heap.collect_full();
    CHECK(log == std::vector<int>{5, 3, 4, 2, 1});
}

TEST_CASE("detaching and the heap's end run what is left, newest first") {
    std::vector<int> log;
    {
        Heap heap(objects::small());
        {
            Mutator me(heap);
            make_in<Mortal>(heap.root(), log, 1);
            make_in<Mortal>(heap.root(), log, 2);
            make_raw<Mortal>(log, 3);
            light(log, 4);
        }
        CHECK(log == std::vector<int>{4, 3});
    }
    CHECK(log == std::vector<int>{4, 3, 2, 1});
}

TEST_CASE("destructors run once under every collector") {
    for (const Collector collector : {Collector::hinted, Collector::full, Collector::none}) {
        std::vector<int> log;
        {
            Heap heap(objects::small(collector));
            Mutator me(heap);
            for (int i = 0; i < 200; ++i) {
                Scope scope{"scope"};
                light(log, i);
                make_raw<Mortal>(log, 1000 + i);
                if (i % 50 == 0) heap.collect_full();
            }
        }
        CHECK(log.size() == 400);
        std::sort(log.begin(), log.end());
        CHECK(std::unique(log.begin(), log.end()) == log.end());
    }
}

TEST_CASE("the elements of an array are destroyed last to first") {
    Bench bench;
    std::vector<int> log;
    {
        Scope scope{"array"};
        auto array = make_array<Light>(10);
        for (int i = 0; i < 10; ++i)
            (*array)[static_cast<std::size_t>(i)].log = &log, (*array)[static_cast<std::size_t>(i)].name = i;
        auto strings = make_array<std::string>(100, std::string(100, 's'));
        CHECK((*strings)[99].size() == 100);
    }
    CHECK(log == descending(9, 0));
}

TEST_CASE("a million destructors run") {
    Bench bench;
    int dead = 0;
    {
        Scope scope{"million"};
        for (int i = 0; i < 1'000'000; ++i) make_raw<Counter>(&dead);
    }
    CHECK(dead < 1'000'000);  // in slices
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + std::chrono::minutes(1)));
    CHECK(dead == 1'000'000);
    for (int i = 0; i < 100'000; ++i) make_raw<Counter>(&dead);
    bench.heap.collect_full();
    CHECK(dead == 1'100'000);
}

TEST_CASE("a destructor may make objects and open scopes") {
    Bench bench;
    static int made;
    static std::vector<int> log;
    made = 0;
    log.clear();
    struct Busy {
        Ref<Node> node;
        ~Busy() {
            Scope scope{"in a destructor"};
            make_raw<Mortal>(log, 1);
            auto handle = make<Node>(nullptr, nullptr, 5);
            for (int i = 0; i < 1000; ++i) make_raw<Node>(handle);
            made += handle->value;
        }
    };
    {
        Scope scope{"busy"};
        for (int i = 0; i < 10; ++i) make<Busy>();
    }
    CHECK(made == 50);
    CHECK(log.size() == 10);
    for (int i = 0; i < 10; ++i) make<Busy>();
    bench.heap.collect_full();
    CHECK(made == 100);
    bench.heap.collect_full();  // scopes that end while the whole heap is destroyed merge
    CHECK(log.size() == 20);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("what a destructor makes and keeps outside survives") {
    Bench bench;
    static Handle<Node>* kept;
    struct Leaves {
        Ref<Node> node;
        ~Leaves() { *kept = make<Node>(*kept, nullptr, 1); }
    };
    Handle<Node> list;
    kept = &list;
    {
        Scope scope{"leaves"};
        for (int i = 0; i < 100; ++i) make<Leaves>();
    }
    CHECK(objects::length(list.get()) == 100);
    for (int i = 0; i < 100; ++i) make<Leaves>();
    bench.heap.collect_full();
    CHECK(objects::length(list.get()) == 200);
    CHECK(bench.heap.verify().ok());
    list.reset();
    bench.heap.collect_full();
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("a destructor may overwrite references of the dying and of the living with what lives") {
    Bench bench;
    static Handle<Node>* living;
    class Writes {
    public:
        explicit Writes(Writes* other) : other_(other) {}
        ~Writes() {
            if (other_ != nullptr) other_->node_ = *living;
            node_ = *living;
            (*living)->left = *living;
            (*living)->right = nullptr;
            other_ = nullptr;
        }
        void trace(Tracer& tracer) const { tracer(node_, other_); }

    private:
        Ref<Node> node_;
        Ref<Writes> other_;
    };
    auto node = make<Node>(nullptr, nullptr, 3);
    living = &node;
    {
        Scope scope{"writes"};
        Writes* last = nullptr;
        for (int i = 0; i < 50; ++i) last = make_raw<Writes>(last);
    }
    CHECK(node->left == node.get());
    CHECK(bench.heap.verify().ok());
}

// Who may use a heap when: threads in turn, handles anywhere, and what destructors do when nothing is left. An adversary's reading
// found most of this.
#include "api/objects.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <functional>
#include <thread>
#include <vector>

using namespace perfloc;
using objects::Last;
using objects::Node;

TEST_CASE("a detached scope begins on the mutator's thread, or where there is none") {
    Heap heap(objects::small());
    DetachedScope before(heap, "before");
    Mutator me(heap);
    std::thread([&] { CHECK_THROWS_AS(DetachedScope(heap, "elsewhere"), AttachError); }).join();
    before.end();
}

TEST_CASE("labels are counted by another thread while scopes are open") {
    Heap heap(objects::small());
    Mutator me(heap);
    Scope outer{"outer"};
    Scope inner{"inner"};
    make<Node>();
    std::thread([&] { CHECK_FALSE(heap.stats().labels().empty()); }).join();
}

TEST_CASE("what the last destructors make is destroyed too, and their handles read null") {
    int destroyed = 0;
    GlobalHandle<Node> left;
    std::function<void()> count = [&] { ++destroyed; };
    std::function<void()> make_more = [&] {
        make_raw<Last>(&count);
        left = GlobalHandle<Node>(make_raw<Node>());
    };
    {
        Heap heap(objects::small());
        const Mutator me(heap);
        make_raw_in<Last>(heap.root(), &make_more);
    }
    CHECK(destroyed == 1);
    CHECK_FALSE(left);
}

TEST_CASE("a handle that a destructor makes in a full collection without a mutator reads null") {
    Heap heap(objects::small());
    Handle<Node> kept;
    GlobalHandle<Node> global;
    std::function<void()> keep = [&] { kept = global.get(); };
    {
        const Mutator me(heap);
        global = GlobalHandle<Node>(make_raw_in<Node>(heap.root()));
        make_raw_in<Last>(heap.root(), &keep);
    }
    heap.collect_full();
    CHECK_FALSE(kept);
    CHECK(heap.stats().lost_handles() == 1);
    const Mutator me(heap);
    kept.reset();
}

TEST_CASE("after a full collection nothing is left of global handles that were dropped while another was gathered") {
    Options options = objects::small();
    options.collector_thread = false;
    options.pauses = {.max = std::chrono::microseconds(100), .utilization = 0.999999};
    Heap heap(options);
    Mutator me(heap);
    std::vector<GlobalHandle<Node>> handles;
    std::vector<GlobalWeakHandle<Node>> weak;
    for (int i = 0; i < 1000; ++i) {
        Node* const node = make_raw_in<Node>(heap.root());
        handles.emplace_back(node);
        weak.emplace_back(node);
    }
    Handle<Node> outside;
    {
        Scope scope{"large"};
        for (int i = 0; i < 50'000; ++i) outside = make<Node>(outside, nullptr);
    }
    handles.clear();
    heap.collect_full();
    for (const auto& handle : weak) REQUIRE_FALSE(handle);
}

TEST_CASE("a heap's limit is no more than what is reserved for it, so that collections at the limit come in time") {
    Heap heap({.reserve = 16_MiB, .collector_thread = false});
    CHECK(heap.options().limit == heap.options().reserve);
    CHECK(heap.options().soft_limit <= heap.options().limit / 8 * 7);
    Mutator me(heap);
    Handle<Node> kept[8];
    for (int i = 0; i < 400; ++i) {
        {
            Scope scope{"request"};
            Handle<Node> last;
            for (int j = 0; j < 3000; ++j) last = make<Node>(last, nullptr);
            kept[i % 8] = last;
            for (int j = 0; j < 300; ++j) make_raw_in<Node>(heap.root());
        }
        poll();
    }
    CHECK(heap.verify().ok());
}

TEST_CASE("what the last destructors make is beside what dies, and stays what it is") {
    struct Counted {
        explicit Counted(int& n) : count(&n) {}
        ~Counted() { ++*count; }
        void trace(Tracer&) const {}
        int* count;
    };
    int destroyed = 0;
    GlobalHandle<Node> left;
    Heap* where = nullptr;
    std::function<void()> inner = [] { make_raw<objects::Leaf>(); };
    std::function<void()> last = [&] {
        left = GlobalHandle<Node>(make_raw<Node>());
        {
            DetachedScope scope(*where);
            scope.make_raw<Last>(&inner);
            scope.end();
        }
        make_raw<Counted>(destroyed);
        make_raw<Counted>(destroyed);
    };
    {
        Heap heap(objects::small());
        where = &heap;
        const Mutator me(heap);
        make_raw_in<Node>(heap.root());
        make_raw_in<Last>(heap.root(), &last);
    }
    CHECK(destroyed == 2);
    CHECK_FALSE(left);
}

TEST_CASE("end_and_wait() gives no slices where there may be no pause") {
    Options options = objects::small();
    options.collector_thread = false;
    Heap heap(options);
    Mutator me(heap);
    Handle<Node> outside;
    {
        Scope scope{"large"};
        for (int i = 0; i < 50'000; ++i) {
            const Handle<Node> node = make<Node>();
            if (i % 50 == 0) node->left = outside, outside = node;
        }
    }
    DetachedScope scope(heap, "waits");
    const Handle<Node> inside = scope.make<Node>(outside, nullptr);
    const NoPause none;
    const std::uint64_t pauses = heap.stats().pauses().count();
    CHECK_FALSE(scope.end_and_wait(std::chrono::seconds(1)).settled);
    CHECK(heap.stats().pauses().count() == pauses);
}

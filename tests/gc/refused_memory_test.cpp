#include "gc/inspect.hpp"
#include "gc/refuse_new.hpp"
#include "support/catch.hpp"

#include <perfloc/perfloc.hpp>
#include <perfloc/units.hpp>

#include <chrono>
#include <cstdint>
#include <new>
#include <optional>

// malloc refuses: a collection goes on, and what throws has changed nothing. law [progress], [park].
namespace {

using namespace perfloc;
using namespace perfloc::literals;
using namespace std::chrono_literals;
using support::RefuseNew;

struct Link {
    Ref<Link> next;
    std::uint64_t value = 0;
};

class Mortal {
public:
    Mortal(Link* last, int& died) : last_(last), died_(&died) {}
    ~Mortal() { ++*died_; }
    void trace(Tracer& tracer) const { tracer(last_); }

private:
    Ref<Link> last_;
    int* died_;
};

constexpr std::uint64_t kLinks = 4000;
constexpr int kMortals = 500;

/// Every second object dies; some that do have destructors.
Link* make_links(int& died) {
    Link* kept = nullptr;
    for (std::uint64_t i = 0; i < kLinks; ++i) {
        make_raw<Link>();
        kept = make_raw<Link>(kept, i);
        if (i % (kLinks / kMortals) == 0) make_raw<Mortal>(kept, died);
    }
    return kept;
}

bool whole(const Link* link) {
    std::uint64_t expected = kLinks;
    for (; link != nullptr; link = link->next) {
        if (link->value != --expected) return false;
    }
    return expected == 0;
}

Options options_of(std::chrono::nanoseconds budget) {
    return {.reserve = 256_MiB, .limit = 64_MiB, .pauses = {.max = budget}, .collector_thread = false};
}

/// Calls f with each number of calls that are granted, until nothing is refused any more.
template <class F>
void for_each_refusal(F&& f) {
    std::uint64_t from = 0;
    while (f(from) != 0) ++from;
    CHECK(from > 0);
}

}  // namespace

TEST_CASE("a full collection that is refused memory for its lists goes on") {
    for_each_refusal([](std::uint64_t from) {
        INFO("from call " << from);
        int died = 0;
        Heap heap(options_of(100us));
        Mutator me(heap);
        Handle<Link> outer(make_links(died));
        Scope scope("inner");
        Handle<Link> inner(make_links(died));
        std::uint64_t refused = 0;
        {
            const RefuseNew all(from);
            heap.collect_full();
            refused = all.refused();
        }
        CHECK(heap.verify().ok());
        CHECK(died == 2 * kMortals);
        CHECK(whole(outer.get()));
        CHECK(whole(inner.get()));
        CHECK(heap.stats().full_collections() == 1);
        inner.reset();
        heap.collect_full();
        CHECK(heap.stats().full_collections() == 2);
        CHECK(heap.verify().ok());
        return refused;
    });
}

TEST_CASE("ends of scopes and collections beside the program go on where memory for their lists is refused") {
    for (const auto budget : {std::chrono::nanoseconds(500ns), std::chrono::nanoseconds(10s)}) {
        for_each_refusal([budget](std::uint64_t from) {
            INFO("budget " << budget.count() << " ns, from call " << from);
            int died = 0;
            std::uint64_t refused = 0;
            {
                std::optional<Heap> heap(options_of(budget));
                std::optional<Mutator> me(*heap);
                std::optional<Handle<Link>> kept(make_raw<Link>());
                (*kept)->next = make_links(died);
                std::optional<Scope> outer(std::in_place, Label("outer")), inner(std::in_place, Label("inner"));
                Handle<Link> survivor(make_links(died));
                DetachedScope apart(*heap, "apart");
                Handle<Link> apart_too;
                {
                    const DetachedScope::Enter in(apart);
                    make_links(died);
                    apart_too = make_raw<Link>();
                }
                heap->root().trim();
                {
                    const RefuseNew all(from);
                    inner.reset();
                    outer.reset();
                    apart.end();
                    me->collect_until(std::chrono::steady_clock::now() + 1h);
                    refused += all.refused();
                }
                CHECK(died == 3 * kMortals);
                CHECK(heap->verify().ok());
                CHECK(whole((*kept)->next.get()));
                CHECK(whole(survivor.get()));
                CHECK(apart_too.get() != nullptr);
                make_links(died);
                survivor.reset();
                apart_too.reset();
                kept.reset();
                const RefuseNew all(from);
                me.reset();
                heap.reset();
                refused += all.refused();
            }
            CHECK(died == 4 * kMortals);
            return refused;
        });
    }
}

TEST_CASE("a scope that is refused memory for its label has not begun, and the next one of the label begins") {
    Heap heap(options_of(100us));
    Mutator me(heap);
    {
        Scope spare("another");  // leaves its region to the next one
        make_raw<Link>();
    }
    const std::size_t regions = inspect::core().regions.end();
    for (int i = 0; i < 100; ++i) {
        const RefuseNew all(0);
        CHECK_THROWS_AS(Scope("of a new label"), std::bad_alloc);
        CHECK_THROWS_AS(DetachedScope(heap, "of a new label"), std::bad_alloc);
    }
    for (int i = 0; i < 2; ++i) {
        Scope scope("of a new label");
        make_raw<Link>();
    }
    for (const LabelStats& label : heap.stats().labels()) {
        if (label.name == "of a new label") CHECK(label.begun == 2);
        if (label.name == "another") CHECK(label.begun == 1);
    }
    CHECK(inspect::core().regions.end() < regions + 20);  // (AddressSanitizer holds some back)
    CHECK(heap.verify().ok());
}

TEST_CASE("a listener that is refused memory is not added") {
    struct Listener : EventListener {
        void on_collection_begun(const CollectionBegunEvent&) noexcept override { ++calls; }
        int calls = 0;
    };
    for (std::uint64_t from = 0; from < 2; ++from) {
        Heap heap(options_of(100us));
        Mutator me(heap);
        Listener listener;
        {
            const RefuseNew all(from);
            CHECK_THROWS_AS(heap.add_listener(listener), std::bad_alloc);
        }
        Listener other;
        heap.add_listener(other);
        heap.collect_full();
        heap.remove_listener(other);
        CHECK(listener.calls == 0);
        CHECK(other.calls == 1);
    }
}

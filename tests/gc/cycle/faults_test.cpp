#include "death/child.hpp"
#include "gc/inspect.hpp"
#include "runtime/sanitizers.hpp"
#include "support/catch.hpp"
#include "support/refuse.hpp"

#include <perfloc/perfloc.hpp>
#include <perfloc/testing.hpp>
#include <perfloc/units.hpp>

#include <sys/syscall.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>

// Collections beside the program in the middle of which the system refuses, or the limit is reached: in each phase.
namespace {

using namespace perfloc;
using namespace std::chrono_literals;

constexpr std::uint64_t kSurvivors = 3000;

struct Link {
    Ref<Link> next;
    std::uint64_t value = 0;
};

struct Mortal {
    Ref<Link> last_words;
    std::uint64_t* died = nullptr;
    ~Mortal() { *died += last_words != nullptr; }
};

Options beside(Bytes limit) {
    return {.reserve = 1_GiB,
            .limit = limit,
            .pauses = {.max = std::chrono::nanoseconds(500)},  // so that every such scope is condemned
            .collector_thread = false};
}

/// A scope whose end has work for every phase: survivors among the dead, destructors, weak handles, recorded slots.
class Work {
public:
    void end_scope() {
        Scope scope{"large"};
        Link* kept = nullptr;
        for (std::uint64_t i = 0; i < kSurvivors; ++i) {
            make_raw<Link>();
            make_raw<Link>();
            kept = make_raw<Link>(kept, i);
            if (i % 100 == 0) make_raw<Mortal>(make_raw<Link>(), &died_);
            if (i % 2 == 0) (*slots_)[i / 2] = kept;
        }
        dead_ = WeakHandle<Link>(make_raw<Link>());
        outer_->next = kept;
    }

    /// 0, or what is wrong.
    int fault(Mutator& me, const Heap& heap) const {
        if (!me.collect_until(std::chrono::steady_clock::now() + 60s)) return 1;
        std::uint64_t next = kSurvivors;
        for (const Link* link = outer_->next; link != nullptr; link = link->next) {
            if (link->value != --next) return 2;
        }
        if (next != 0) return 3;
        if (died_ != kSurvivors / 100) return 4;
        if (!dead_.expired()) return 5;
        return heap.verify().ok() ? 0 : 6;
    }

private:
    Handle<Link> outer_ = make<Link>();
    Handle<Array<Ref<Link>>> slots_ = make_array<Ref<Link>>(kSurvivors / 2);
    WeakHandle<Link> dead_;
    std::uint64_t died_ = 0;
};

/// Scopes of which a little escapes, up to so many bytes. False if memory was refused.
bool go_on(Bytes bytes) {
    const Handle<Link> kept = make<Link>();
    try {
        for (Bytes made = 0; made < bytes; made += 64_KiB) {
            Scope scope{"going on"};
            make_raw_array<char>(60_KiB);
            kept->next = make_raw<Link>(kept->next.get());
            poll();
        }
    } catch (const OutOfMemory& error) {
        UNSCOPED_INFO(error.what());
        return false;
    }
    return true;
}

std::string any_phase() {
    return GENERATE(as<std::string>{}, "gather", "mark", "agree", "sweep", "clear", "destroy", "record", "settle",
                    "follow");
}

}  // namespace

TEST_CASE("the limit is reached in the middle of a collection: memory is refused, and nothing is lost") {
    const std::string phase = any_phase();
    INFO("in the phase " << phase);
    Heap heap(beside(8_MiB));
    Mutator me(heap);
    Work work;
    work.end_scope();
    REQUIRE(testing::run_to(heap, phase));
    bool refused = false;
    try {
        Scope scope{"to the limit"};
        for (const Handle<Link> first = make<Link>();;) {
            make_raw_array<char>(20_KiB);
            first->next = make_raw<Link>(first->next.get());
        }
    } catch (const OutOfMemory&) {
        refused = true;
    }
    CHECK(refused);
    CHECK(work.fault(me, heap) == 0);
    inspect::drain_quarantine();
    CHECK(go_on(32_MiB));
    CHECK(heap.verify().ok());
}

TEST_CASE("the system refuses memory in the middle of a collection: what it granted is used on") {
    if (detail::kSanitized) return;  // a sanitizer's own calls would be refused as well
    const std::string phase = any_phase();
    INFO("in the phase " << phase);
    const death::Child child = death::run([&phase] {
        Heap heap(beside(256_MiB));
        Mutator me(heap);
        Work work;
        work.end_scope();
        if (!testing::run_to(heap, phase)) return 10;
        support::refuse({SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise}, ENOMEM);
        if (!go_on(64_MiB)) return 11;  // scopes that end: no more memory is needed
        if (const int fault = work.fault(me, heap); fault != 0) return fault;
        bool refused = false;
        try {
            Scope scope{"growing"};
            for (;;) make_raw_array<char>(1_MiB);
        } catch (const OutOfMemory&) {
            refused = true;
        }
        if (!refused) return 12;
        if (!go_on(16_MiB)) return 13;
        return heap.verify().ok() ? 0 : 14;
    });
    INFO(child.err);
    CHECK(child.exit_code() == 0);
}

TEST_CASE("a system that refuses a thread has collections in slices of the program's time") {
    if (detail::kSanitized) return;  // ... whose threads are followed
    const death::Child child = death::run([] {
        support::refuse({SYS_clone, SYS_clone3}, EAGAIN);
        Options options = beside(64_MiB);
        options.collector_thread = true;
        Heap heap(options);
        Mutator me(heap);
        Work work;
        work.end_scope();
        if (!go_on(16_MiB)) return 10;
        return work.fault(me, heap);
    });
    INFO(child.err);
    CHECK(child.exit_code() == 0);
}

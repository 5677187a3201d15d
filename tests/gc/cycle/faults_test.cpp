#include "death/child.hpp"
#include "gc/inspect.hpp"
#include "gc/refuse_new.hpp"
#include "runtime/sanitizers.hpp"
#include "support/catch.hpp"
#include "support/refuse.hpp"

#include <perfloc/perfloc.hpp>
#include <perfloc/testing.hpp>
#include <perfloc/units.hpp>

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <new>
#include <optional>
#include <string>
#include <thread>

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

TEST_CASE("memory for a thread's state that is refused has collections in slices of the program's time") {
    bool sliced = false;
    for (std::uint64_t from = 0; from < 1000; ++from) {
        Options options = beside(64_MiB);
        options.collector_thread = true;
        std::optional<Heap> heap;
        try {
            const support::RefuseNew all(from);
            heap.emplace(options);
            if (all.refused() == 0) break;
        } catch (const std::bad_alloc&) {
            continue;
        }
        sliced = sliced || !heap->options().collector_thread;
        Mutator me(*heap);
        Work work;
        work.end_scope();
        CHECK(me.collect_until(std::chrono::steady_clock::now() + 1h));
    }
    CHECK(sliced);
}

TEST_CASE("in a forked process a heap with a collector's thread says that it cannot be used") {
    if (detail::kSanitized) return;  // a thread that is not there confuses TSan
    Options options = beside(64_MiB);
    options.collector_thread = true;
    Heap heap(options);
    Mutator me(heap);
    REQUIRE(heap.options().collector_thread);
    const death::Child child = death::run([&] {
        Work().end_scope();
        me.collect_until(std::chrono::steady_clock::now() + 1h);
    });
    INFO(child.err);
    CHECK(child.died_saying({"forked", "collector's thread"}));
    const death::Child apart = death::run([&] {
        std::thread([&] {
            Heap own(options);
            Mutator mine(own);
            Work().end_scope();
            mine.collect_until(std::chrono::steady_clock::now() + 1h);
        }).join();
        ::_exit(0);
    });
    INFO(apart.err);
    CHECK(apart.exit_code() == 0);
}

TEST_CASE("the program's signals do not come to the collector's thread") {
    const death::Child child = death::run([] {
        Options options = beside(64_MiB);
        options.collector_thread = true;
        Heap heap(options);
        sigset_t waited_for;
        ::sigemptyset(&waited_for);
        ::sigaddset(&waited_for, SIGUSR1);
        ::pthread_sigmask(SIG_BLOCK, &waited_for, nullptr);
        for (int i = 0; i < 1000; ++i) {  // a thread that has just begun takes none
            ::kill(::getpid(), SIGUSR1);
            const timespec long_enough{60, 0};
            if (::sigtimedwait(&waited_for, nullptr, &long_enough) != SIGUSR1) return 1;
        }
        return 0;
    });
    CHECK(child.exit_code() == 0);
}

TEST_CASE("a system that refuses a thread has collections in slices of the program's time") {
    if (detail::kSanitized) return;  // ... whose threads are followed
    const death::Child child = death::run([] {
        support::refuse({SYS_clone, SYS_clone3}, EAGAIN);
        Options options = beside(64_MiB);
        options.collector_thread = true;
        Heap heap(options);
        if (heap.options().collector_thread) return 9;
        Mutator me(heap);
        Work work;
        work.end_scope();
        if (!go_on(16_MiB)) return 10;
        return work.fault(me, heap);
    });
    INFO(child.err);
    CHECK(child.exit_code() == 0);
}

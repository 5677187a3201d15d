#include "support/catch.hpp"

#include "api/objects.hpp"
#include "death/child.hpp"
#include "gc/inspect.hpp"
#include "gc/memory/memory_service.hpp"
#include "runtime/sanitizers.hpp"
#include "support/refuse.hpp"
#include "support/resident.hpp"

#include <perfloc/perfloc.hpp>

#include <sys/mman.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <deque>
#include <thread>

using namespace perfloc;
using namespace std::chrono_literals;
using detail::Clock;
using detail::kBlockBytes;
using gc::MemoryService;

namespace {

/// Fills arrays of 16 KiB, every page of them.
void fill(std::size_t bytes) {
    for (std::size_t made = 0; made < bytes; made += 16_KiB) make_raw_array<char>(16_KiB - 64, 'x');
}

/// A service whose time is the test's.
struct Served {
    explicit Served(detail::HeapCore& heap) : service(heap) { service.work(now); }

    /// Time passes in steps, and after each all that is due is done.
    void pass(std::chrono::nanoseconds time, std::chrono::nanoseconds step = 50ms) {
        for (; time > 0ns; time -= step) {
            now += step;
            while (service.work(now) == 0ns) ++pieces;
        }
    }

    MemoryService service;
    Clock::time_point now = Clock::now();
    std::uint64_t pieces = 0;
};

/// Calls work() without a rest for as long as it lives.
class Background {
public:
    explicit Background(detail::HeapCore& heap) : service_(heap), thread_([this] { run(); }) {}
    ~Background() {
        stop_.store(true);
        thread_.join();
    }
    std::uint64_t calls() const { return calls_.load(); }

private:
    void run() {
        while (!stop_.load()) {
            if (service_.work(Clock::now()) != 0ns) std::this_thread::sleep_for(100us);
            ++calls_;
        }
    }

    MemoryService service_;
    std::atomic<bool> stop_{false};
    std::atomic<std::uint64_t> calls_{0};
    std::thread thread_;
};

/// From here on madvise() that would change what is resident fails with `error`.
void refuse_advice(int error) {
    constexpr auto advice = static_cast<std::uint32_t>(offsetof(seccomp_data, args) + 2 * sizeof(std::uint64_t));
    support::load_filter({
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offsetof(seccomp_data, nr))),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, advice),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MADV_DONTNEED, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 23 /* MADV_POPULATE_WRITE */, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    });
}

}  // namespace

TEST_CASE("what a NoPause was promised is not given back while it lives") {
    Options options = objects::small();
    options.limit = 64_MiB;
    options.return_after = 100ms;
    options.collector_thread = false;
    Heap heap(options);
    Mutator me(heap);
    Served served(inspect::core());
    const auto committed = [&] { return heap.stats().committed_bytes(); };
    {
        const NoPause no_pause(32_MiB);
        REQUIRE(committed() >= 32_MiB);
        served.pass(10s);
        CHECK(committed() >= 32_MiB);
        {
            const NoPause inner(8_MiB);  // besides
            CHECK(committed() >= 40_MiB);
            served.pass(10s);
            CHECK(committed() >= 40_MiB);
            CHECK_THROWS_AS(NoPause(32_MiB), OutOfMemory);
        }
        for (int i = 0; i < 100; ++i) const NoPause again(8_MiB);  // one after the other
        CHECK(committed() < 48_MiB);
        fill(16_MiB);
        const NoPause later(20_MiB);  // what was used is promised no more
    }
    served.pass(60s);
    CHECK(committed() < 32_MiB);
}

TEST_CASE("what a scope of 512 MiB used goes back to the system once it has been idle for long enough") {
    Heap heap({.reserve = 2_GiB, .limit = 1_GiB, .collector_thread = false});
    Mutator me(heap);
    Served served(inspect::core());
    const std::size_t before = support::resident_bytes();
    {
        Scope scope{"large"};
        fill(512_MiB);
        CHECK(heap.stats().committed_bytes() >= 512_MiB);
    }
    inspect::drain_quarantine();
    const Stats stats = heap.stats();
    const std::size_t committed = stats.committed_bytes();
    const std::size_t resident = support::resident_bytes();
    served.pass(500ms);
    CHECK(stats.committed_bytes() == committed);  // idle, but not for a second
    CHECK(stats.system_calls().give_back == 0);
    served.pass(1s);
    CHECK(stats.committed_bytes() <= 16_MiB);
    CHECK(stats.system_calls().give_back >= committed / 8_MiB - 2);
    if (!detail::kSanitized) {  // shadow memory has pages and page faults of its own
        CHECK(support::resident_bytes() < resident - 400_MiB);
        CHECK(support::resident_bytes() < before + 100_MiB);
    }
    CHECK(heap.verify().ok());
    {
        Scope scope{"again"};
        fill(600_MiB);  // returned blocks and fresh ones
        CHECK(heap.verify().ok());
    }
}

TEST_CASE("one large object that died goes back in pieces") {
    Heap heap({.reserve = 1_GiB, .limit = 512_MiB, .collector_thread = false, .return_after = 100ms});
    Mutator me(heap);
    Served served(inspect::core());
    {
        Scope scope{"large"};
        make_raw_array<char>(100_MiB + 5000);
    }
    inspect::drain_quarantine();
    served.pass(1s, 10ms);
    CHECK(heap.stats().committed_bytes() <= 5_MiB);
    CHECK(served.pieces > 100_MiB / 8_MiB);
    Scope scope{"again"};
    make_raw_array<char>(100_MiB);
    CHECK(heap.verify().ok());
}

TEST_CASE("memory that is used again before its time is not given back, and a reserve stays in any case") {
    Heap heap({.reserve = 1_GiB, .limit = 512_MiB, .collector_thread = false, .return_after = 400ms});
    Mutator me(heap);
    Served served(inspect::core());
    const Stats stats = heap.stats();
    const auto repeat = [&](int times) {
        for (int i = 0; i < times; ++i) {
            {
                Scope scope{"repeated"};
                fill(32_MiB);
            }
            served.pass(100ms);
        }
    };
    repeat(10);  // what was backed ahead of the first of them goes back
    const std::uint64_t before = stats.system_calls().give_back;
    repeat(20);
    CHECK(stats.committed_bytes() >= 32_MiB);
    CHECK(stats.system_calls().give_back == before);
    served.pass(10s);
    CHECK(stats.system_calls().give_back > before);
    if (!detail::kAsan) CHECK(stats.committed_bytes() >= 4_MiB);
    Scope scope{"open"};
    fill(64_MiB);
    {
        Scope inner{"ended"};
        fill(32_MiB);
    }
    served.pass(10s);
    if (!detail::kAsan) CHECK(inspect::core().pool.idle_blocks() * kBlockBytes >= 8_MiB);
}

TEST_CASE("a caller that was away for long does not make idle memory old") {
    Heap heap({.reserve = 1_GiB, .limit = 512_MiB, .collector_thread = false});
    Mutator me(heap);
    Served served(inspect::core());
    {
        Scope scope{"large"};
        fill(64_MiB);
    }
    served.now += 1h;
    while (served.service.work(served.now) == 0ns) {
    }
    CHECK(heap.stats().system_calls().give_back == 0);
}

TEST_CASE("a heap that does not grow gets nothing ahead, one that grows gets its next blocks, within the limit") {
    Heap heap({.reserve = 1_GiB, .limit = 64_MiB, .collector_thread = false});
    Mutator me(heap);
    Served served(inspect::core());
    const Stats stats = heap.stats();
    served.pass(1s);
    CHECK(stats.prefaulted_bytes() == 0);
    CHECK(stats.committed_bytes() <= kBlockBytes);
    CHECK_FALSE(served.service.behind());

    Scope scope{"growing"};
    fill(2_MiB);
    CHECK(served.service.behind());
    served.pass(1ms, 1ms);
    CHECK(stats.prefaulted_bytes() >= kBlockBytes);  // an eighth of what is used, and a block at least
    CHECK(stats.prefaulted_bytes() <= 8_MiB);
    const std::size_t committed = stats.committed_bytes();
    CHECK(committed >= stats.used_bytes() + stats.prefaulted_bytes() - kBlockBytes);
    fill(kBlockBytes / 2);  // out of what is ahead
    CHECK(stats.committed_bytes() == committed);

    // To the limit: what is ahead is part of it, and of use up to the last block.
    try {
        for (;;) {
            fill(1_MiB);
            served.pass(1ms, 1ms);
            REQUIRE(stats.committed_bytes() <= 64_MiB);
        }
    } catch (const OutOfMemory&) {
    }
    CHECK(stats.committed_bytes() == 64_MiB);
    if (!detail::kAsan) CHECK(stats.used_bytes() > 62_MiB);
    CHECK(heap.verify().ok());
}

TEST_CASE("what was kept ahead goes back when the heap has stopped growing") {
    Heap heap({.reserve = 1_GiB, .limit = 512_MiB, .collector_thread = false});
    Mutator me(heap);
    Served served(inspect::core());
    Scope scope{"growing"};
    for (int i = 0; i < 10; ++i) {
        fill(16_MiB);
        served.pass(10ms, 10ms);
    }
    CHECK(inspect::core().pool.idle_blocks() * kBlockBytes >= 18_MiB);
    served.pass(5s);
    CHECK(inspect::core().pool.idle_blocks() * kBlockBytes <= heap.stats().used_bytes() / 8 + kBlockBytes);
    CHECK(heap.verify().ok());
}

TEST_CASE("blocks ahead serve a large object at the limit") {
    Heap heap({.reserve = 1_GiB, .limit = 64_MiB, .collector_thread = false});
    Mutator me(heap);
    Served served(inspect::core());
    Scope scope{"growing"};
    fill(8_MiB);
    served.pass(1ms, 1ms);
    REQUIRE(heap.stats().prefaulted_bytes() >= 1_MiB);
    make_raw_array<char>(50_MiB);  // more than is left beside what is ahead
    CHECK(heap.stats().committed_bytes() <= 64_MiB);
    CHECK(heap.verify().ok());
}

TEST_CASE("in steps, the accessible prefix grows ahead of the program too") {
    Heap heap({.reserve = 1_GiB, .limit = 512_MiB, .collector_thread = false, .commit = Commit::in_steps});
    Mutator me(heap);
    Served served(inspect::core());
    Scope scope{"growing"};
    for (std::size_t i = 0; i < 60; ++i) {
        fill(1_MiB);
        served.pass(1ms, 1ms);
    }
    const std::uint64_t before = heap.stats().system_calls().commit;
    fill(8_MiB);  // over the first step's end
    CHECK(heap.stats().system_calls().commit == before);
    CHECK(heap.verify().ok());
}

TEST_CASE("a growing heap whose service runs beside it has few page faults of its own") {
    Heap heap({.reserve = 4_GiB, .limit = 1_GiB, .collector_thread = false});
    Mutator me(heap);
    Scope scope{"growing"};
    const Background background(inspect::core());
    // It is the program that waits for the service, however late that gets its processor.
    detail::SpanPool& pool = inspect::core().pool;
    const auto grow = [&](std::size_t bytes) {
        for (std::size_t made = 0; made < bytes; made += kBlockBytes) {
            fill(kBlockBytes);
            const auto deadline = Clock::now() + 10s;
            while (pool.idle_blocks() == 0 && Clock::now() < deadline) std::this_thread::sleep_for(50us);
        }
    };
    grow(16_MiB);
    const std::uint64_t before = support::minor_faults();
    grow(128_MiB);
    const std::uint64_t faults = support::minor_faults() - before;
    CHECK(heap.stats().prefaulted_bytes() > 100_MiB);
    if (!detail::kSanitized) CHECK(faults < 128_MiB / 4096 / 10);
    CHECK(heap.verify().ok());
}

TEST_CASE("a system that refuses to back or take back memory leaves the heap usable") {
    const int refusal = GENERATE(EPERM, ENOMEM, EINVAL);
    INFO("refused with " << refusal);
    const death::Child child = death::run([refusal] {
        Heap heap({.reserve = 1_GiB, .limit = 256_MiB, .collector_thread = false, .return_after = 100ms});
        Mutator me(heap);
        Served served(inspect::core());
        const Stats stats = heap.stats();
        refuse_advice(refusal);
        {
            Scope scope{"growing"};
            for (int i = 0; i < 40; ++i) {
                fill(1_MiB);
                served.pass(1ms, 1ms);
            }
            // Where the call alone is refused its work is done by hand, where memory is nothing is.
            if ((stats.prefaulted_bytes() != 0) != (refusal != ENOMEM)) return 1;
        }
        inspect::drain_quarantine();
        const std::size_t committed = stats.committed_bytes();
        served.pass(3s, 10ms);
        if (stats.committed_bytes() != committed) return 2;  // still there, and counted
        if (stats.system_calls().give_back == 0 || stats.system_calls().give_back > 5) return 3;
        try {
            Scope scope{"to the limit"};
            for (;;) fill(1_MiB);
        } catch (const OutOfMemory&) {
        }
        if (stats.committed_bytes() != 256_MiB) return 4;
        Scope scope{"after"};
        make_raw_array<char>(200_MiB);
        return heap.verify().ok() ? 0 : 5;
    });
    INFO(child.err);
    CHECK(child.exit_code() == 0);
}

TEST_CASE("scopes begin and end while the service works") {
    Heap heap({.reserve = 1_GiB, .limit = 256_MiB, .collector_thread = false, .return_after = 1ms});
    Mutator me(heap);
    {
        const Background background(inspect::core());
        auto outer = make<objects::Node>();
        std::uint64_t random = 88172645463325252u;
        const auto next = [&random](std::uint64_t below) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            return random % below;
        };
        std::deque<DetachedScope> detached;
        for (int i = 0; i < (detail::kSanitized ? 1000 : 3000); ++i) {
            Scope scope{"stressed"};
            switch (next(6)) {
                case 0:
                    fill(next(4_MiB));
                    break;
                case 1:
                    make_raw_array<char>(40_KiB + next(3_MiB));
                    break;
                case 2:
                    objects::chain(static_cast<int>(next(20000)));
                    break;
                case 3:  // survivors, and slots that are recorded in memory that is released
                    outer->left = objects::chain(static_cast<int>(next(100)));
                    outer->right = outer->left;
                    break;
                case 4: {
                    Scope inner{"inner"};
                    objects::Node* const node = make_raw<objects::Node>();
                    node->left = objects::chain(3000);
                    inner.keep();
                    break;
                }
                default: {
                    if (detached.size() > 8) detached.pop_front();
                    detached.emplace_back(heap);
                    const DetachedScope::Enter entered(detached.back());
                    fill(next(200_KiB));
                    outer->right = nullptr;
                }
            }
            if (i % 64 == 0) me.poll();
            if (i % 256 == 0) std::this_thread::sleep_for(2ms);  // so that memory goes back
        }
        detached.clear();
        CHECK(heap.verify().ok());
        CHECK(background.calls() > 0);
    }
    CHECK(heap.verify().ok());
    CHECK(heap.stats().system_calls().give_back > 0);
    CHECK(heap.stats().committed_bytes() <= 256_MiB);
}

#include "support/catch.hpp"

#include "api/objects.hpp"
#include "death/child.hpp"
#include "runtime/heap_core.hpp"
#include "runtime/memory.hpp"

#include <perfloc/errors.hpp>

#include <cstdint>
#include <cstring>
#include <fstream>

using namespace perfloc;
using namespace perfloc::detail;

namespace {

std::array<AreaShape, kAreas> shapes() {
    std::array<AreaShape, kAreas> all{};
    all.fill({64, 4096});
    return all;
}

/// Addresses that this process has now, in bytes.
std::size_t address_space() {
    std::ifstream file("/proc/self/statm");
    std::size_t pages = 0;
    file >> pages;
    return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void allow_more(std::size_t bytes) {
    const rlim_t most = address_space() + bytes;
    const rlimit limit{most, most};
    ::setrlimit(RLIMIT_AS, &limit);
}

}  // namespace

TEST_CASE("a reservation is aligned to a block, reads as zero and has its tables behind it") {
    Memory memory(3_MiB, Commit::on_demand, shapes());
    CHECK(reinterpret_cast<std::uintptr_t>(memory.base()) % kBlockBytes == 0);
    CHECK(memory.bytes() == 3_MiB);
    CHECK(memory.blocks() == 12);
    CHECK(memory.base()[0] == 0);
    CHECK(memory.base()[memory.bytes() - 1] == 0);
    char* previous = memory.base() + memory.bytes();
    for (std::size_t a = 0; a < kAreas; ++a) {
        const auto area = static_cast<Area>(a);
        CHECK(memory.area(area) >= previous);
        CHECK(memory.area_bytes(area) >= 4096);
        memory.area(area)[memory.area_bytes(area) - 1] = 1;
        previous = memory.area(area) + memory.area_bytes(area);
    }
}

TEST_CASE("a size that is no multiple of a block is rounded up, and a tiny one to the last rung") {
    CHECK(Memory(3_MiB + 1, Commit::on_demand, shapes()).bytes() == 3_MiB + kBlockBytes);
    CHECK(Memory(1, Commit::on_demand, shapes()).bytes() == kLeastReservation);
}

TEST_CASE("on demand, a table may have more addresses") {
    auto more = shapes();
    more[static_cast<std::size_t>(Area::chunks)].on_demand = 16;
    const Memory memory(3_MiB, Commit::on_demand, more);
    const Memory in_steps(3_MiB, Commit::in_steps, more);
    CHECK(memory.area_bytes(Area::chunks) == 16 * in_steps.area_bytes(Area::chunks));
    CHECK(memory.area_bytes(Area::blocks) == in_steps.area_bytes(Area::blocks));
    CHECK(memory.area(Area::scratch) >= memory.area(Area::chunks) + memory.area_bytes(Area::chunks));
    memory.area(Area::chunks)[memory.area_bytes(Area::chunks) - 1] = 1;
}

TEST_CASE("on demand, committing blocks needs no system call but advice for dumps") {
    Memory memory(8_MiB, Commit::on_demand, shapes());
    const SystemCalls before = memory.system_calls();
    CHECK(memory.commit_blocks(memory.blocks()));
    CHECK(memory.system_calls().commit == 0);
    CHECK(memory.system_calls().total() == before.total());
    CHECK(before.reserve == 1);
    CHECK_FALSE(memory.in_steps());
}

TEST_CASE("in steps, one accessible prefix grows by large steps and takes its part of each table along") {
    Memory memory(256_MiB, Commit::in_steps, shapes());
    REQUIRE(memory.in_steps());
    const std::size_t first_table = memory.area_committed(Area::block_spans);
    CHECK(first_table < memory.area_bytes(Area::block_spans));
    memory.base()[0] = 1;
    const std::uint64_t before = memory.system_calls().commit;
    CHECK(memory.commit_blocks(10));  // inside the first step of 64 MiB
    CHECK(memory.system_calls().commit == before);
    CHECK(memory.commit_blocks(64_MiB / kBlockBytes + 1));
    CHECK(memory.system_calls().commit > before);
    memory.base()[64_MiB] = 1;
    CHECK(memory.area_committed(Area::block_spans) > first_table);
    memory.area(Area::block_spans)[memory.area_committed(Area::block_spans) - 1] = 1;
    CHECK(memory.commit_blocks(memory.blocks()));
    CHECK(memory.area_committed(Area::block_spans) == memory.area_bytes(Area::block_spans));
    memory.base()[memory.bytes() - 1] = 1;
}

TEST_CASE("what lies beyond the prefix is not accessible") {
    const death::Child child = death::run([] {
        Memory memory(256_MiB, Commit::in_steps, shapes());
        std::signal(SIGSEGV, [](int) { ::_exit(7); });
        *static_cast<volatile char*>(memory.base() + 128_MiB) = 1;
    });
    CHECK(child.exit_code() == 7);
}

TEST_CASE("pages that are given back read as zero, and the call is in the ledger") {
    Memory memory(2_MiB, Commit::on_demand, shapes());
    std::memset(memory.base(), 0x5a, kBlockBytes);
    memory.give_back(memory.base(), kBlockBytes);
    CHECK(memory.base()[17] == 0);
    CHECK(memory.system_calls().give_back == 1);
}

TEST_CASE("a reservation that is refused is halved down to what the system grants, and the heap works") {
    const death::Child child = death::run([] {
        allow_more(600_MiB);
        Heap heap({.reserve = 64_GiB});
        const Stats stats = heap.stats();
        if (stats.reserved_bytes() > 512_MiB || stats.reserved_bytes() < 64_MiB) return 1;
        if (heap.options().reserve != stats.reserved_bytes()) return 2;
        if (stats.system_calls().reserve < 8) return 3;  // 64 GiB to 256 MiB by halves
        if (stats.limit_bytes() > stats.reserved_bytes()) return 4;
        Mutator me(heap);
        for (int i = 0; i < 1000; ++i) {
            Scope scope{"granted"};
            if (objects::length(objects::chain(100)) != 100) return 5;
        }
        return 0;
    });
    INFO(child.err);
    CHECK(child.exit_code() == 0);
}

TEST_CASE("where no rung of the ladder is granted the error says what was asked and why") {
    const death::Child child = death::run([] {
        allow_more(512_KiB);
        try {
            Heap heap({.reserve = 64_GiB});
        } catch (const ReservationError& error) {
            const std::string_view text = error.what();
            return text.find("68719476736") != text.npos && text.find("RLIMIT_AS") != text.npos ? 0 : 1;
        }
        return 2;
    });
    INFO(child.err);
    CHECK(child.exit_code() == 0);
}

TEST_CASE("a heap whose memory is committed in steps works like any other") {
    Options options = objects::small();
    options.commit = Commit::in_steps;
    options.reserve = 512_MiB;
    options.limit = 256_MiB;
    Heap heap(options);
    CHECK(heap.options().commit == Commit::in_steps);
    Mutator me(heap);
    {
        Scope scope{"large"};
        for (int i = 0; i < 20; ++i) {
            auto array = make_array<char>(8_MiB, 'x');
            CHECK((*array)[8_MiB - 1] == 'x');
        }
    }
    CHECK(heap.stats().system_calls().commit > 0);
    CHECK(heap.verify().ok());
}

TEST_CASE("the machine's limit is no more than its memory") {
    const auto pages = static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES));
    CHECK(machine_limit() > 1_MiB);
    CHECK(machine_limit() <= pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)));
}

TEST_CASE("the ledger of system calls adds up") {
    SystemCalls calls;
    calls.reserve = 1, calls.commit = 20, calls.give_back = 300, calls.advise = 4000, calls.release = 50000;
    CHECK(calls.total() == 54321);
}

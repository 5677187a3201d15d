// After warm-up, a million scopes of each kind run under a filter that kills the process at a system call for memory:
// law [syscall]. Exits with 0 when all have run.
#include "api/objects.hpp"

#include <seccomp.h>

#include <cstdio>
#include <cstdlib>

using namespace perfloc;
using objects::Node;

namespace {

constexpr int kScopes = 1'000'000;

struct Counted {
    std::uint64_t* dead;
    ~Counted() { ++*dead; }
};

struct Program {
    Handle<Node> outer = make<Node>();
    std::uint64_t dead = 0;

    void plain(int) {
        Scope scope{"plain"};
        make_raw<Node>(make_raw<Node>(), nullptr, 1);
    }
    void with_a_handle(int i) {
        Scope scope{"with a handle"};
        auto node = make<Node>(nullptr, nullptr, i);
        if (node->value != i) std::abort();
    }
    void promoting(int i) {
        {
            Scope scope{"promoting"};
            for (int n = 0; n < 10; ++n) make_raw<Node>();
            outer->left = make_raw<Node>(make_raw<Node>(nullptr, nullptr, i), nullptr, i);
        }
        if (outer->left->left->value != i) std::abort();
    }
    void large(int) {
        Scope scope{"of 70 KiB"};
        for (int n = 0; n < 70; ++n) make_raw_array<char>(1016, 'x');
    }
    void with_destructors(int) {
        Scope scope{"with destructors"};
        for (int n = 0; n < 3; ++n) make_raw<Counted>(&dead);
    }

    /// Survivors pile up in the scope that holds them, so each block of scopes has an outer one.
    void block(int first, int scopes) {
        Scope scope{"block"};
        outer = make<Node>();
        for (int i = first; i < first + scopes; ++i) {
            plain(i);
            with_a_handle(i);
            promoting(i);
            large(i);
            with_destructors(i);
        }
        outer.reset();
    }
};

void forbid_memory_calls() {
    const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int failed = filter == nullptr;
    for (const int call :
         {SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(mremap)}) {
        failed |= seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, call, 0) != 0;
    }
    if (failed || seccomp_load(filter) != 0) {
        std::fputs("the filter cannot be loaded\n", stderr);
        std::exit(2);
    }
    // The filter's own memory is not freed: that might be a call.
}

}  // namespace

int main() {
    // The law is about the program's thread: the collector's own may give memory back meanwhile.
    Heap heap({.reserve = 4_GiB, .limit = 1_GiB, .collector_thread = false});
    Mutator me(heap);
    Program program;
    constexpr int kBlock = 1000;
    for (int i = 0; i < 10; ++i) program.block(0, kBlock);
    const std::uint64_t calls = heap.stats().system_calls().total();
    forbid_memory_calls();
    for (int i = 0; i < kScopes; i += kBlock) program.block(i, kBlock);
    if (program.dead != 3ull * (kScopes + 10 * kBlock)) return 1;
    if (heap.stats().system_calls().total() != calls) return 3;
    std::_Exit(0);  // the heap's end would return its addresses
}

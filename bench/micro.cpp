// Single operations, in a tight loop with warm caches. For what a program pays, see the other benches.
#include <perfloc/perfloc.hpp>

#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#include <vector>

#include "support/escape.hpp"
#include "support/keeps_memory.hpp"
#include "support/noise.hpp"

namespace {

using namespace perfloc::literals;

constexpr int kBatch = 1000;

struct Leaf {
    std::uint64_t x, y, z;
};

struct Node {
    perfloc::Ref<Node> left, right;
    std::uint64_t value;
};

// The time of one operation where an iteration does `operations` of them.
void count_operations(benchmark::State& state, int operations) {
    state.counters["each"] =
        benchmark::Counter(operations, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void scope_empty(benchmark::State& state) {
    for (auto _ : state) {
        perfloc::Scope scope;
        bench::keep(&scope);
    }
    count_operations(state, 1);
}
BENCHMARK(scope_empty);

void poll_idle(benchmark::State& state) {
    for (auto _ : state) perfloc::poll();
    count_operations(state, 1);
}
BENCHMARK(poll_idle);

template <class Make>
void allocate(benchmark::State& state, Make make) {
    for (auto _ : state) {
        perfloc::Scope scope;
        for (int i = 0; i < kBatch; ++i) make();
    }
    count_operations(state, kBatch);
}
BENCHMARK_CAPTURE(allocate, without_references, [] { bench::keep(perfloc::make_raw<Leaf>(1u, 2u, 3u)); });
BENCHMARK_CAPTURE(allocate, two_null_references, [] { bench::keep(perfloc::make_raw<Node>(nullptr, nullptr, 1u)); });
BENCHMARK_CAPTURE(allocate, sixty_four_words,
                  [] { bench::keep(perfloc::make_raw<Leaf>(perfloc::ExtraBytes{488}, 1u, 2u, 3u)); });
BENCHMARK_CAPTURE(allocate, handle, [] { bench::keep(perfloc::make<Node>(nullptr, nullptr, 1u).get()); });

void allocate_linked(benchmark::State& state) {
    for (auto _ : state) {
        perfloc::Scope scope;
        Node* last = nullptr;
        for (int i = 0; i < kBatch; ++i) last = perfloc::make_raw<Node>(last, last, 1u);
        bench::keep(last);
    }
    count_operations(state, kBatch);
}
BENCHMARK(allocate_linked);

template <class Use>
void handle(benchmark::State& state, Use use) {
    perfloc::Scope scope;
    perfloc::Handle<Node> model = perfloc::make<Node>(nullptr, nullptr, 1u);
    for (auto _ : state) use(model);
    count_operations(state, 1);
}
BENCHMARK_CAPTURE(handle, from_pointer, [](perfloc::Handle<Node>& model) {
    perfloc::Handle<Node> made(model.get());
    bench::keep(&made);
});
BENCHMARK_CAPTURE(handle, copied, [](perfloc::Handle<Node>& model) {
    perfloc::Handle<Node> copy(model);
    bench::keep(&copy);
});
BENCHMARK_CAPTURE(handle, moved_there_and_back, [](perfloc::Handle<Node>& model) {
    perfloc::Handle<Node> moved(std::move(model));
    bench::keep(&moved);
    model = std::move(moved);
});

// Stores `target` into `slot` again and again.
void store_loop(benchmark::State& state, Node* slot, Node* target) {
    for (auto _ : state) {
        slot->left = target;
        bench::keep(slot);
    }
    count_operations(state, 1);
}

Node* make_node() { return perfloc::make_raw<Node>(nullptr, nullptr, 1u); }

void store_null(benchmark::State& state) {
    perfloc::Scope scope;
    store_loop(state, make_node(), nullptr);
}
BENCHMARK(store_null);

void store_same_page(benchmark::State& state) {
    perfloc::Scope scope;
    Node* slot = make_node();
    store_loop(state, slot, make_node());
}
BENCHMARK(store_same_page);

void store_same_region(benchmark::State& state) {
    perfloc::Scope scope;
    Node* slot = make_node();
    for (int i = 0; i < 10 * kBatch; ++i) make_node();
    store_loop(state, slot, make_node());
}
BENCHMARK(store_same_region);

void store_inner_to_outer(benchmark::State& state) {
    perfloc::Scope outer;
    Node* target = make_node();
    perfloc::Scope inner;
    store_loop(state, make_node(), target);
}
BENCHMARK(store_inner_to_outer);

void store_outer_to_inner_same_slot(benchmark::State& state) {
    perfloc::Scope outer;
    Node* slot = make_node();
    perfloc::Scope inner;
    store_loop(state, slot, make_node());
}
BENCHMARK(store_outer_to_inner_same_slot);

// Each slot is recorded once, cleared again, and looked at when the inner scope ends: what an escape costs that did not
// happen in the end.
void store_outer_to_inner_and_clear(benchmark::State& state) {
    perfloc::Scope outer;
    auto& slots = *perfloc::make_raw_array<perfloc::Ref<Node>>(kBatch);
    for (auto _ : state) {
        perfloc::Scope inner;
        Node* target = make_node();
        for (perfloc::Ref<Node>& slot : slots) slot = target;
        for (perfloc::Ref<Node>& slot : slots) slot = nullptr;
    }
    count_operations(state, kBatch);
}
BENCHMARK(store_outer_to_inner_and_clear);

}  // namespace

int main(int argc, char** argv) {
    // --quick and --rounds as in the other benches; everything else is Google Benchmark's.
    std::vector<std::string> arguments;
    for (int i = 0; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--quick") {
            arguments.push_back("--benchmark_min_time=0.05");
        } else if (argument == "--rounds" && i + 1 < argc) {
            arguments.push_back(std::string("--benchmark_repetitions=") + argv[++i]);
        } else {
            arguments.emplace_back(argument);
        }
    }
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    int count = static_cast<int>(pointers.size());
    benchmark::Initialize(&count, pointers.data());
    if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) return 1;

    bench::print_noise_floor();
    perfloc::Heap heap({.limit = 1_GiB, .return_after = bench::kKeepsMemory});
    perfloc::Mutator me(heap);
    benchmark::RunSpecifiedBenchmarks();
}

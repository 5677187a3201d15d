// Binary trees: one tree of 2^(depth+1) - 1 nodes a scope, built, walked for its checksum, and dropped with its scope.
#include <perfloc/perfloc.hpp>

#include <optional>
#include <type_traits>

#include "support/clock.hpp"
#include "support/contest.hpp"
#include "support/keeps_memory.hpp"
#include "support/options.hpp"
#include "support/peers.hpp"
#include "support/table.hpp"

namespace {

using namespace perfloc::literals;

struct Node {  // as in the tour
    perfloc::Ref<Node> left, right;
    int value = 0;
};

struct PlainNode {
    PlainNode* left;
    PlainNode* right;
    int value;
};

enum Figure : std::size_t { kBuildAndDrop, kWithWalk };

Node* build_raw(int depth) {
    if (depth == 0) return perfloc::make_raw<Node>();
    Node* left = build_raw(depth - 1);
    Node* right = build_raw(depth - 1);
    return perfloc::make_raw<Node>(left, right, depth);
}

perfloc::Handle<Node> build(int depth) {
    if (depth == 0) return perfloc::make<Node>();
    auto left = build(depth - 1);
    auto right = build(depth - 1);
    return perfloc::make<Node>(left, right, depth);
}

template <class Allocate>
PlainNode* build_plain(Allocate allocate, int depth) {
    if (depth == 0) return new (allocate()) PlainNode{nullptr, nullptr, 0};
    PlainNode* left = build_plain(allocate, depth - 1);
    PlainNode* right = build_plain(allocate, depth - 1);
    return new (allocate()) PlainNode{left, right, depth};
}

template <class Allocator>
void free_tree(PlainNode* node) {
    if (node->left) {
        free_tree<Allocator>(node->left);
        free_tree<Allocator>(node->right);
    }
    Allocator::release(node);
}

template <class N>
std::uint64_t walk(const N* node) {
    const N* left = node->left;
    if (!left) return 1;
    const N* right = node->right;
    return 1 + static_cast<std::uint64_t>(node->value) + walk(left) + 3 * walk(right);
}

// Times building and dropping apart from the walk between them.
template <class Build, class Drop>
void measure_tree(bench::Sample& sample, Build&& build_tree, Drop&& drop) {
    std::optional<std::invoke_result_t<Build>> root;
    const double building = bench::seconds_of([&] { root.emplace(build_tree()); });
    const double walking = bench::seconds_of([&] { sample.checksum += walk(&**root); });
    const double dropping = bench::seconds_of([&] {
        drop(*root);
        root.reset();
    });
    sample.figures[kBuildAndDrop] += building + dropping;
    sample.figures[kWithWalk] += building + walking + dropping;
}

template <class Build>
bench::Sample run_perfloc(int trees, Build&& build_tree) {
    bench::Sample sample;
    for (int i = 0; i < trees; ++i) {
        std::optional<perfloc::Scope> scope(std::in_place, perfloc::Label("tree"));
        using Root = std::invoke_result_t<Build>;
        measure_tree(sample, build_tree, [&](Root& root) {
            root = Root();  // a handle would make its tree escape
            scope.reset();
        });
    }
    return sample;
}

template <class Allocator>
bench::Sample run_allocator(int depth, int trees) {
    bench::Sample sample;
    auto allocate = [] { return Allocator::allocate(sizeof(PlainNode)); };
    for (int i = 0; i < trees; ++i) {
        measure_tree(
            sample, [&] { return build_plain(allocate, depth); }, [](PlainNode* root) { free_tree<Allocator>(root); });
    }
    return sample;
}

template <class Pmr>
void add_pmr(bench::Contest& contest, int depth, int trees) {
    const std::size_t bytes = (std::size_t{2} << depth) * sizeof(PlainNode);
    contest.add(Pmr::kName, [pmr = std::make_shared<Pmr>(bytes), depth, trees] {
        bench::Sample sample;
        auto allocate = [&arena = pmr->arena] { return arena.allocate(sizeof(PlainNode), alignof(PlainNode)); };
        for (int i = 0; i < trees; ++i) {
            measure_tree(
                sample, [&] { return build_plain(allocate, depth); }, [&](PlainNode*) { pmr->arena.release(); });
        }
        return sample;
    });
}

}  // namespace

int main(int argc, char** argv) {
    int depth = 21, trees = 3;
    const auto options = bench::start(argc, argv, "binary trees, a scope a tree", 9,
                                      {{"--depth", "depth of each tree (18 with --quick)", &depth},
                                       {"--trees", "trees in one run of a contender", &trees}});
    if (options.quick && depth == 21) depth = 18;
    bench::keep_freed_memory();

    perfloc::Heap heap({.limit = 8_GiB, .return_after = bench::kKeepsMemory});
    perfloc::Mutator me(heap);

    bench::Contest contest("trees");
    contest.add("perfloc raw", [=] { return run_perfloc(trees, [=] { return build_raw(depth); }); });
    add_pmr<bench::PmrUpstream>(contest, depth, trees);
    add_pmr<bench::PmrBuffer>(contest, depth, trees);
    contest.add("perfloc handles", [=] { return run_perfloc(trees, [=] { return build(depth); }); });
    contest.add(bench::Mimalloc::kName, [=] { return run_allocator<bench::Mimalloc>(depth, trees); });
    contest.add(bench::Glibc::kName, [=] { return run_allocator<bench::Glibc>(depth, trees); });
    contest.run(options.rounds);

    const std::string pmr = contest.fastest({bench::PmrUpstream::kName, bench::PmrBuffer::kName});
    const double nodes = static_cast<double>(trees) * static_cast<double>((std::uint64_t{2} << depth) - 1);
    bench::Table table;
    const auto compare = [&](const std::string& ours, const std::string& theirs, std::optional<bench::Bar> bar) {
        table.row(ours + " / " + theirs, contest.ratio(ours, theirs), "x", bar);
    };
    compare("perfloc raw", pmr, 0.85);
    compare("perfloc raw", bench::Mimalloc::kName, 0.38);
    compare("perfloc raw", bench::Glibc::kName, 0.23);
    compare("perfloc handles", pmr, 1.5);
    compare("perfloc handles", bench::Mimalloc::kName, 0.65);
    table.row("with the walk: perfloc raw / " + pmr, contest.ratio("perfloc raw", pmr, kWithWalk));
    table.row("with the walk: perfloc raw / mimalloc", contest.ratio("perfloc raw", "mimalloc", kWithWalk));
    table.row("with the walk: perfloc handles / " + pmr, contest.ratio("perfloc handles", pmr, kWithWalk));
    for (const char* name : {"perfloc raw", "perfloc handles", bench::PmrUpstream::kName, bench::PmrBuffer::kName,
                             bench::Mimalloc::kName, bench::Glibc::kName}) {
        table.row(std::string(name) + ", a node", contest.figure(name).scaled(1e9 / nodes), "ns");
    }
    table.print();
}

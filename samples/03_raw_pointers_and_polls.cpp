// How long a plain pointer is good: until its scope ends or this thread polls, whichever comes first.
// Run it with PERFLOC_STRESS=move, and every poll moves whatever may move.
#include <perfloc/perfloc.hpp>

#undef NDEBUG  // a sample is a test as well: its assertions are always on
#include <cassert>
#include <cstdio>
#include <numeric>

struct Tree {
    perfloc::Ref<Tree> left, right;
    int weight = 1;
};

// Allocates in the middle of its work, and holds plain pointers all the while: an allocation is no safepoint.
Tree* grow(int depth) {
    if (depth == 0) return perfloc::make_raw<Tree>();
    Tree* left = grow(depth - 1);
    Tree* right = grow(depth - 1);
    return perfloc::make_raw<Tree>(left, right);
}

// Reads are plain: `tree` and everything below it stay put until this function's caller polls.
int weigh(const Tree* tree) { return tree == nullptr ? 0 : tree->weight + weigh(tree->left) + weigh(tree->right); }

int main() {
    perfloc::Heap heap;
    perfloc::Mutator me(heap);
    perfloc::Scope work{"work"};

    Tree* raw = grow(6);
    assert(weigh(raw) == 127);

    // What lives over a poll is held by a handle. `raw` is stale from the poll on, and the handle is not.
    perfloc::Handle<Tree> tree = raw;
    for (int turn = 0; turn < 10; ++turn) {
        perfloc::poll();          // the main loop: the only place where objects of open scopes move
        Tree* root = tree.get();  // a fresh plain pointer, good until the next poll
        Tree* twig = root->left->right;
        root->left->right = root->right->left;
        root->right->left = twig;  // subtrees swapped through plain pointers; `twig` was never in danger
        assert(weigh(root) == 127);
    }
    std::printf("after 10 polls the tree still weighs %d\n", weigh(tree.get()));

    // An inner scope's end does not touch pointers into outer ones: no poll, no move.
    Tree* outer = tree.get();
    {
        perfloc::Scope inner{"inner"};
        assert(weigh(grow(4)) == 31);
    }
    assert(outer == tree.get());
    std::puts("a pointer into the outer scope outlived an inner scope: only a poll may end it");

    // An address that leaves the program (a buffer for the system) is pinned, and does not move even in a poll.
    perfloc::Handle<perfloc::Array<int>> buffer = perfloc::make_array<int>(256);
    {
        perfloc::Pin<perfloc::Array<int>> pin(buffer);
        int* address = pin->data();
        perfloc::poll();
        assert(address == pin->data());
        std::iota(address, address + 256, 0);
    }
    perfloc::poll();
    assert(std::accumulate(buffer->begin(), buffer->end(), 0) == 255 * 256 / 2);
    std::puts("a pinned buffer kept its address over a poll");
    return 0;
}

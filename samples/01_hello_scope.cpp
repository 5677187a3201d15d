// A heap, a scope, some objects, and the hint that they are garbage now.
#include <perfloc/perfloc.hpp>

#undef NDEBUG  // a sample is a test as well: its assertions are always on
#include <cassert>
#include <cstdio>
#include <string_view>

using namespace perfloc::literals;

// A plain struct that contains a Ref is a managed type. Its fields are found by reflection.
struct Letter {
    perfloc::Ref<Letter> next;
    char symbol = ' ';
};

// Builds the list from its end. A plain pointer is safe here: allocation neither moves nor frees anything.
Letter* spell(std::string_view word) {
    Letter* first = nullptr;
    while (!word.empty()) {
        first = perfloc::make_raw<Letter>(first, word.back());
        word.remove_suffix(1);
    }
    return first;
}

int main() {
    perfloc::Heap heap({.reserve = 1_GiB, .limit = 64_MiB});
    perfloc::Mutator me(heap);  // this thread may now allocate

    {
        perfloc::Scope greeting{"greeting"};
        int letters = 0;
        for (Letter* letter = spell("hello, scope"); letter != nullptr; letter = letter->next) {
            std::putchar(letter->symbol);
            ++letters;
        }
        std::putchar('\n');
        assert(letters == 12);
    }  // the hint: what was made here is probably garbage. Nothing refers to it, so it is released in O(1)

    for (const perfloc::LabelStats& label : heap.stats().labels()) {
        if (std::string_view(label.name) != "greeting") continue;
        std::printf("scope \"greeting\": %zu bytes allocated, %zu released in O(1), %zu promoted\n",
                    std::size_t{label.allocated_bytes}, std::size_t{label.released_bytes},
                    std::size_t{label.promoted_bytes});
        assert(label.ended == 1);
        assert(label.promoted_bytes == 0);
        // The other collectors ignore the hint (PERFLOC_COLLECTOR=full): there, memory waits for a collection.
        const bool hinted = heap.options().collector == perfloc::Collector::hinted;
        assert(!hinted || label.released_bytes == label.allocated_bytes);
        return 0;
    }
    assert(false && "the label is in the statistics");
}

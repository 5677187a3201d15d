// A hint is permission, never proof: what is still reachable when its scope ends is promoted, not freed.
#include <perfloc/perfloc.hpp>

#undef NDEBUG  // a sample is a test as well: its assertions are always on
#include <cassert>
#include <cstdio>
#include <string>

struct Page {
    perfloc::Ref<Page> link;
    int number = 0;
};

struct Site {
    perfloc::Ref<Page> home;
};

// Way one: a result is returned in a handle. A handle keeps its object alive, and follows it when it moves.
perfloc::Handle<Page> fetch(int number) {
    perfloc::Scope scope{"fetch"};
    for (int i = 0; i < 100; ++i) perfloc::make_raw<Page>();  // scratch: garbage at the brace
    return perfloc::make<Page>(nullptr, number);              // escapes: promoted to the caller's scope
}

int main() {
    perfloc::Heap heap;
    perfloc::Mutator me(heap);

    perfloc::Handle<Page> page = fetch(7);
    assert(page->number == 7);
    std::printf("fetched page %d out of a scope of 100 scratch pages\n", page->number);

    // Way two: an object of an outer scope refers to one of an inner scope. The write barrier has recorded it.
    perfloc::Handle<Site> site = perfloc::make<Site>();
    perfloc::WeakHandle<Page> draft;
    {
        perfloc::Scope scope{"publish"};
        Page* linked = perfloc::make_raw<Page>(nullptr, 2);
        site->home = perfloc::make_raw<Page>(linked, 1);  // escapes, and what it refers to with it
        draft = perfloc::WeakHandle<Page>(perfloc::make_raw<Page>(nullptr, 3));
        assert(draft.lock());
    }
    assert(site->home->number == 1 && site->home->link->number == 2);
    std::printf("published pages %d and %d: promoted, never dangling\n", site->home->number, site->home->link->number);

    // Under `hinted` the draft died with its scope; the other collectors wait for a full collection.
    if (heap.options().collector == perfloc::Collector::hinted) assert(!draft.lock());
    std::printf("the draft is %s\n", draft.lock() ? "still there: this collector ignores hints" : "gone");

    // Way three: a known survivor is made outside in the first place, and costs no promotion.
    perfloc::Scope chapter{"chapter"};
    perfloc::Handle<Page> survivor;
    {
        perfloc::Scope scope{"paragraph"};
        survivor = perfloc::make_in<Page>(chapter, nullptr, 4);
    }
    assert(survivor->number == 4);

    for (const perfloc::LabelStats& label : heap.stats().labels()) {
        if (label.ended == 0) continue;
        std::printf("%-10s %3.0f %% of its bytes escaped\n", std::string(label.name).c_str(),
                    100.0 * label.escape_ratio());
    }
    return 0;
}

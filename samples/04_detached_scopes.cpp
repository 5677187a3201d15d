// Scopes that do not nest: requests that are served a step at a time, in turn, and end in any order.
#include <perfloc/perfloc.hpp>

#undef NDEBUG  // a sample is a test as well: its assertions are always on
#include <cassert>
#include <chrono>
#include <cstdio>
#include <list>

using namespace std::chrono_literals;

struct Entry {
    perfloc::Ref<Entry> previous;
    int amount = 0;
};

// An ordinary object outside the managed heap: it may own a detached scope and handles.
struct Request {
    explicit Request(perfloc::Heap& heap, int request_number) : scope(heap, "request"), number(request_number) {}

    // One callback of an event loop. What is made inside belongs to this request.
    bool step() {
        perfloc::DetachedScope::Enter inside(scope);
        latest = perfloc::make_raw<Entry>(latest.get(), number);
        return ++steps < 2 + number % 3;
    }

    perfloc::DetachedScope scope;
    perfloc::Handle<Entry> latest;
    int number;
    int steps = 0;
};

int main() {
    perfloc::Heap heap;
    perfloc::Mutator me(heap);

    const bool hinted = heap.options().collector == perfloc::Collector::hinted;
    std::list<Request> running;
    for (int number = 1; number <= 9; ++number) running.emplace_back(heap, number);

    perfloc::Handle<Entry> audit;  // the one entry that outlives its request
    int finished = 0;
    while (!running.empty()) {
        for (auto request = running.begin(); request != running.end();) {
            if (request->step()) {
                ++request;
                continue;
            }
            if (request->number == 5) audit = request->latest;
            request->latest.reset();
            perfloc::ScopeReport report = request->scope.end_and_wait(1s);
            std::printf("request %d ended after %d steps: %zu bytes allocated, %zu released, %zu promoted\n",
                        request->number, request->steps, std::size_t{report.allocated_bytes},
                        std::size_t{report.released_bytes}, std::size_t{report.promoted_bytes});
            // Under `hinted`; the other collectors ignore the hint, and what was made here waits for a collection.
            assert(!hinted || (report.promoted_bytes != 0) == (request->number == 5));
            request = running.erase(request);
            ++finished;
        }
    }
    assert(finished == 9);

    int total = 0;
    for (Entry* entry = audit.get(); entry != nullptr; entry = entry->previous) total += entry->amount;
    assert(total == 5 * 4);  // four steps: the handle kept the whole chain
    std::printf("the audited request is still whole: %d\n", total);
    return 0;
}

#include "api/objects.hpp"
#include "runtime/sanitizers.hpp"
#include "support/catch.hpp"

#include <perfloc/testing.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

// What destructors and constructors that throw may do while something is collected.
using namespace perfloc;
using namespace perfloc::literals;
using namespace std::chrono_literals;

namespace {

struct Cell {
    Ref<Cell> other;
    std::uint64_t value = 0;
};

/// Calls a function when it dies.
class Last {
public:
    explicit Last(std::function<void()> words, Cell* cell = nullptr) : cell_(cell), words_(std::move(words)) {}
    Last(const Last&) = delete;
    Last& operator=(const Last&) = delete;
    ~Last() { words_(); }
    void trace(Tracer& tracer) const { tracer(cell_); }

private:
    Ref<Cell> cell_;
    std::function<void()> words_;
};

Options stepped(Bytes limit = 256_MiB) {
    Options options{.reserve = 1_GiB, .limit = limit, .collector_thread = false};
    options.pauses.max = 1us;
    options.pauses.utilization = 0.999999;  // no slices but those that the test takes
    return options;
}

Cell* cells(int n, std::uint64_t value) {
    Cell* last = nullptr;
    for (int i = 0; i < n; ++i) last = make_raw<Cell>(last, value);
    return last;
}

int count(const Cell* cell, std::uint64_t value) {
    int n = 0;
    for (; cell != nullptr && cell->value == value && n < 1'000'000; cell = cell->other) ++n;
    return cell == nullptr ? n : -1;
}

void garbage(int n) {
    for (int i = 0; i < n; ++i) make_raw<Cell>(nullptr, 1u);
}

}  // namespace

TEST_CASE("a destructor of a full collection ends a detached scope that has just received survivors") {
    Heap heap(stepped());
    Mutator me(heap);
    std::optional<DetachedScope> detached(std::in_place, heap, Label("detached"));
    const auto to = detached->make<Cell>(nullptr, 1u), from = detached->make<Cell>(nullptr, 2u);
    Cell* sparse = nullptr;  // so that a full collection slides it
    for (int i = 0; i < 400'000; ++i) {
        Cell* const cell = make_raw<Cell>(nullptr, 7u);
        if (i % 40 == 39) cell->other = std::exchange(sparse, cell);
    }
    from->other = sparse;
    bool armed = true;
    make_raw<Last>([&] {
        if (std::exchange(armed, false)) CHECK(detached->end().settled);
    });
    {
        Scope scope{"condemned"};
        to->other = cells(3000, 8);
        garbage(48'000);
    }
    REQUIRE(testing::phase(heap) != "idle");
    heap.collect_full();
    CHECK_FALSE(armed);
    CHECK(heap.verify().ok());
    garbage(1'000'000);
    CHECK(count(from->other, 7) == 10'000);
    CHECK(count(to->other, 8) == 3000);
}

TEST_CASE("a NoPause in a destructor does not end the collection that runs it: law [quiet]") {
    Heap heap(stepped(64_MiB));
    Mutator me(heap);
    const auto keep = make<Cell>();
    int own = 0, refused = 0;
    {
        Scope scope{"dies"};
        keep->other = cells(3000, 7);
        Cell* const of_dying = cells(30'000, 7);
        make_raw<Last>(
            [&, of_dying] {
                try {
                    const NoPause all(63_MiB);
                } catch (const OutOfMemory&) {
                    ++refused;
                }
                garbage(50'000);
                own = count(of_dying, 7);
            },
            of_dying);
        garbage(48'000);
    }
    REQUIRE(testing::phase(heap) != "idle");
    testing::run_to(heap, "idle");
    CHECK(refused == 1);
    CHECK(own == 30'000);
    CHECK(count(keep->other, 7) == 3000);
    CHECK(heap.verify().ok());
}

namespace {

struct Throws {
    Ref<Cell> field;
    explicit Throws(Cell*& out) : field(nullptr) {
        {
            Scope scope{"inner"};
            field = cells(3000, 7);
            garbage(48'000);
        }
        out = field.get();  // law [raw]: its scope has ended, so it counts as living in the innermost one
        throw std::runtime_error("no");
    }
    void trace(Tracer& tracer) const { tracer(field); }
};

}  // namespace

// Protocol P1.
TEST_CASE("what a field held whose constructor throws is kept for raw pointers") {
    const std::string until = GENERATE("gather", "mark", "settle", "follow", "idle");
    Heap heap(stepped());
    Mutator me(heap);
    const auto keep = make<Cell>();
    Cell* out = nullptr;
    {
        Scope outer{"outer"};
        CHECK_THROWS_AS(make<Throws>(out), std::runtime_error);
        while (testing::phase(heap) != until && testing::phase(heap) != "idle") {
            if (!testing::slice(heap)) testing::step_collector(heap, 1);
        }
        keep->other = out;
        while (testing::slice(heap) || testing::step_collector(heap, 1000)) {
        }
        CHECK(heap.verify().ok());
        garbage(300'000);
    }
    CHECK(count(keep->other, 7) == 3000);
    CHECK(me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(heap.verify().ok());
    CHECK(count(keep->other, 7) == 3000);
}

namespace {

struct Boom {
    Boom() { throw std::runtime_error("early"); }
};

struct ThrowsEarly {
    Boom boom;
    Ref<Cell> never;
    ThrowsEarly() : boom(), never(nullptr) {}
    void trace(Tracer& tracer) const { tracer(never); }
};

}  // namespace

TEST_CASE("a field that a throwing constructor does not come to is not taken for a reference") {
    Heap heap(stepped());
    Mutator me(heap);
    const auto keep = make<Cell>();
    {
        Scope scope{"condemned"};
        keep->other = cells(3000, 7);
        garbage(48'000);
    }
    REQUIRE(testing::phase(heap) != "idle");
    std::set<std::uintptr_t> numbers;  // pages
    const auto page = [](const void* address) { return reinterpret_cast<std::uintptr_t>(address) / 4096; };
    int reused = 0;
    for (int i = 0; i < 200; ++i) {
        {
            Scope scope{"numbers"};
            for (int k = 0; k < 16; ++k) numbers.insert(page(make_raw_array<std::uint64_t>(100, 0x4141'4141'4141u)));
        }
        Scope scope{"throws"};
        CHECK_THROWS_AS(make<ThrowsEarly>(), std::runtime_error);
        reused += static_cast<int>(numbers.count(page(make_raw<Cell>())));
    }
    if (!detail::kAsan) CHECK(reused > 100);
    testing::run_to(heap, "idle");
    CHECK(count(keep->other, 7) == 3000);
    CHECK(heap.verify().ok());
}

TEST_CASE("handles that destructors make at the end of a mutator or a heap read null afterwards") {
    Handle<Cell> local;
    GlobalHandle<Cell> global;
    const bool in_root = GENERATE(false, true);
    {
        Heap heap({.reserve = 256_MiB, .limit = 64_MiB});
        {
            Mutator me(heap);
            const auto words = [&] {
                local = make<Cell>(nullptr, 5u);
                global = GlobalHandle<Cell>(make_raw<Cell>(nullptr, 6u));
            };
            if (in_root) {
                make_in<Last>(heap.root(), words);
            } else {
                make_raw<Last>(words);
            }
        }
        if (!in_root) CHECK(local.get() == nullptr);
        if (!in_root) CHECK(global->value == 6);
    }
    CHECK(local.get() == nullptr);
    CHECK(global.get() == nullptr);
}

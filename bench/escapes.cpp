// What an escape costs beyond a plain allocation: objects of 24 bytes are made in an inner scope and stored into an
// outer one, against the same objects in the same scopes that nobody stores.
#include <perfloc/perfloc.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "support/clock.hpp"
#include "support/contest.hpp"
#include "support/escape.hpp"
#include "support/keeps_memory.hpp"
#include "support/options.hpp"
#include "support/table.hpp"

namespace {

using namespace perfloc::literals;

constexpr double kObjectBar = 15, kReferenceBar = 3, kFixedBar = 100;  // ns
constexpr int kMany = 100;  // objects in a scope from which the first two bars hold

struct Single {
    perfloc::Ref<Single> next;
    std::uint64_t x, y;
};

struct Double {
    perfloc::Ref<Double> next, other;
    std::uint64_t x;
};

static_assert(sizeof(Single) == 24 && sizeof(Double) == 24);

template <class T>
std::uint64_t sum_of_chain(const T* last) {
    std::uint64_t sum = 0;
    for (const T* object = last; object; object = object->next) sum += object->x;
    return sum;
}

// The shapes of what escapes from one scope, as n objects numbered from 0. `check` adds up their numbers.
struct Chain {  // each refers to the one before; the outer scope to the last
    using Object = Single;
    static constexpr const char* kName = "chain";
    static int references(int n) { return n - 1; }
    static int slots(int) { return 1; }
    template <bool escape>
    static std::uint64_t run(perfloc::Array<perfloc::Ref<Single>>& outer, int n) {
        Single* last = nullptr;
        for (int i = 0; i < n; ++i) last = perfloc::make_raw<Single>(last, static_cast<std::uint64_t>(i), 0u);
        if constexpr (escape) outer[0] = last;
        bench::keep(last);
        return last->x;
    }
    static std::uint64_t check(perfloc::Array<perfloc::Ref<Single>>& outer) { return sum_of_chain(outer[0].get()); }
};

struct DoubleChain {  // each refers to the two before
    using Object = Double;
    static constexpr const char* kName = "double chain";
    static int references(int n) { return n == 1 ? 0 : 2 * n - 3; }
    static int slots(int) { return 1; }
    template <bool escape>
    static std::uint64_t run(perfloc::Array<perfloc::Ref<Double>>& outer, int n) {
        Double* older = nullptr;
        Double* last = nullptr;
        for (int i = 0; i < n; ++i) {
            Double* made = perfloc::make_raw<Double>(last, older, static_cast<std::uint64_t>(i));
            older = last;
            last = made;
        }
        if constexpr (escape) outer[0] = last;
        bench::keep(last);
        return last->x;
    }
    static std::uint64_t check(perfloc::Array<perfloc::Ref<Double>>& outer) { return sum_of_chain(outer[0].get()); }
};

struct Slots {  // the outer scope refers to each
    using Object = Single;
    static constexpr const char* kName = "array";
    static int references(int) { return 0; }
    static int slots(int n) { return n; }
    template <bool escape>
    static std::uint64_t run(perfloc::Array<perfloc::Ref<Single>>& outer, int n) {
        std::uint64_t sum = 0;
        for (int i = 0; i < n; ++i) {
            Single* made = perfloc::make_raw<Single>(nullptr, static_cast<std::uint64_t>(i), 0u);
            if constexpr (escape) outer[static_cast<std::size_t>(i)] = made;
            bench::keep(made);
            sum += made->x;
        }
        return sum;
    }
    static std::uint64_t check(perfloc::Array<perfloc::Ref<Single>>& outer) {
        std::uint64_t sum = 0;
        for (const Single* object : outer) sum += object->x;
        return sum;
    }
};

// The outer scope ends after some 8000 escapes, before they leave the caches.
template <class Shape, bool escape>
bench::Sample run_scopes(int n, int scopes) {
    const int inner_scopes = std::max(1, 8192 / n);
    bench::Sample sample;
    sample.figures[0] = bench::seconds_of([&] {
        for (int done = 0; done < scopes; done += inner_scopes) {
            perfloc::Scope outer{"outer"};
            auto& slots = *perfloc::make_raw_array<perfloc::Ref<typename Shape::Object>>(Shape::slots(n));
            for (int i = 0; i < inner_scopes; ++i) {
                perfloc::Scope inner{"inner"};
                sample.checksum += Shape::template run<escape>(slots, n);
            }
            if (done + inner_scopes >= scopes) {  // once: the last survivors must be what was made
                sample.checksum += escape ? Shape::check(slots) : static_cast<std::uint64_t>(n) * (n - 1) / 2;
            }
        }
    });
    return sample;
}

// What the escapes of one scope of `objects` cost, in ns, in each round.
struct Case {
    const char* shape;
    int objects;
    int references;  // among the escaping objects
    int slots;       // of the outer scope
    std::vector<double> extra;
};

template <class Shape>
void measure(const bench::Options& options, std::vector<Case>& cases) {
    for (const int n : {1, 10, 100, 1000}) {
        const int per_outer = std::max(1, 8192 / n);
        const int scopes = std::max(1, options.sized(2'000'000) / n / per_outer) * per_outer;
        bench::Contest contest(fmt::format("{} of {}", Shape::kName, n));
        contest.add("escape", [=] { return run_scopes<Shape, true>(n, scopes); });
        contest.add("plain", [=] { return run_scopes<Shape, false>(n, scopes); });
        contest.run(options.rounds);
        Case result{Shape::kName, n, Shape::references(n), Shape::slots(n), {}};
        for (int round = 0; round < options.rounds; ++round) {
            const auto at = static_cast<std::size_t>(round);
            const double more = contest.samples("escape")[at].figures[0] - contest.samples("plain")[at].figures[0];
            result.extra.push_back(more * 1e9 / scopes);
        }
        cases.push_back(std::move(result));
    }
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = bench::start(argc, argv, "escapes: cost beyond a plain allocation", 11);
    perfloc::Heap heap({.limit = 1_GiB, .return_after = bench::kKeepsMemory});
    perfloc::Mutator me(heap);

    std::vector<Case> cases;
    measure<Chain>(options, cases);
    measure<DoubleChain>(options, cases);
    measure<Slots>(options, cases);

    // Each round by itself: the coefficients from the scopes with 100 and more, then what a scope with one object costs
    // above that.
    std::vector<double> object, reference, slot, fixed;
    for (std::size_t round = 0; round < static_cast<std::size_t>(options.rounds); ++round) {
        std::vector<bench::Equation> equations;
        for (const Case& c : cases) {
            if (c.objects < kMany) continue;
            equations.push_back(
                {{1.0 * c.objects, 1.0 * c.references, 1.0 * c.slots}, c.extra[round], 1.0 * c.objects});
        }
        const auto [per_object, per_reference, per_slot] = bench::fit(equations);
        object.push_back(per_object);
        reference.push_back(per_reference);
        slot.push_back(per_slot);
        double sum = 0, count = 0;
        for (const Case& c : cases) {
            if (c.objects != 1) continue;
            sum += c.extra[round] - per_object - per_slot;
            ++count;
        }
        fixed.push_back(sum / count);
    }

    bench::Table table;
    for (const Case& c : cases) {
        const double bar = kObjectBar + kReferenceBar * (c.references + c.slots) / c.objects + kFixedBar / c.objects;
        table.row(fmt::format("{} of {}, an object with its references", c.shape, c.objects),
                  bench::spread_of(c.extra).scaled(1.0 / c.objects), "ns", bar);
    }
    table.row("fitted: an object", bench::spread_of(object), "ns", kObjectBar);
    table.row("fitted: a reference among them", bench::spread_of(reference), "ns", kReferenceBar);
    table.row("fitted: a reference from the outer scope", bench::spread_of(slot), "ns", kReferenceBar);
    table.row("fitted: promoting at all", bench::spread_of(fixed), "ns", kFixedBar);
    table.print();
}

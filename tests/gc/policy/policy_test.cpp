#include "support/catch.hpp"

#include "gc/policy/evacuation_policy.hpp"
#include "gc/policy/full_policy.hpp"
#include "gc/policy/scope_end_policy.hpp"

#include <perfloc/units.hpp>

using namespace perfloc::gc;
using namespace perfloc::literals;
using namespace std::chrono_literals;

TEST_CASE("a scope is promoted inline when its worst case fits the budget and nothing in it needs a marking") {
    struct Case {
        EndedScope scope;
        std::chrono::nanoseconds budget;
        bool inline_;
    };
    const Case cases[] = {
        {{0, false, false}, 100us, true},   {{100, false, false}, 100us, true}, {{1_GiB, false, false}, 100us, false},
        {{1_GiB, false, false}, 10s, true}, {{100, true, false}, 10s, false},   {{100, false, true}, 10s, false},
        {{100, true, true}, 10s, false},
    };
    for (const Case& c : cases) {
        INFO(c.scope.bytes << " bytes, budget " << c.budget.count());
        CHECK(promote_inline(c.scope, c.budget) == c.inline_);
    }
}

TEST_CASE("what is promoted inline grows with the budget and never shrinks") {
    for (std::uint64_t bytes = 1; bytes < 1_GiB; bytes *= 3) {
        bool before = false;
        for (std::chrono::nanoseconds budget = 1ns; budget < 100s; budget *= 2) {
            const bool now = promote_inline({bytes, false, false}, budget);
            CHECK((now || !before));
            before = now;
        }
        CHECK(before);
    }
}

TEST_CASE("a span is evacuated when it is sparse and movable, under stress whenever it is movable") {
    struct Case {
        MarkedSpan span;
        bool stress, evacuated;
    };
    const Case cases[] = {
        {{100, 4096, true}, false, true},   {{2047, 4096, true}, false, true}, {{2048, 4096, true}, false, false},
        {{4096, 4096, true}, false, false}, {{4096, 4096, true}, true, true},  {{100, 4096, false}, false, false},
        {{100, 4096, false}, true, false},
    };
    for (const Case& c : cases) {
        INFO(c.span.live_bytes << " of " << c.span.span_bytes);
        CHECK(evacuate(c.span, c.stress) == c.evacuated);
    }
}

TEST_CASE("the emptiest spans are evacuated, until much would be moved") {
    constexpr Sparse kNone{}, kAll{kEvacuateBelow, 0}, kAllInOpenScopes{kEvacuateInOpenScopesBelow, 0};
    SpansByFullness spans{};
    CHECK(sparse_spans(spans, 0, false) == kAll);
    spans[3] = {50, 250}, spans[5] = {60, 170}, spans[8] = {200, 280}, spans[15] = {700, 200};
    CHECK(sparse_spans(spans, 10'000, true) == kAllInOpenScopes);
    CHECK(sparse_spans(spans, 1'600, true) == kAllInOpenScopes);
    CHECK(sparse_spans(spans, 1'000, true) == Sparse{8, 90});  // a fifth: 200, of which 110 are emptier
    CHECK(sparse_spans(spans, 3'300, false) == kNone);  // a 32nd: 103, which gives back less than half of what lives
    CHECK(sparse_spans({Fullness{100, 5'000}}, 3'300, false) == kAll);
    spans[0] = {10'000, 600'000};
    CHECK(sparse_spans(spans, 10'000, true) == Sparse{3, 0});  // nearly empty: always
    // All are about as full as each other.
    spans = {};
    spans[6] = {1'000, 2'000};
    CHECK(sparse_spans(spans, 1'000, true) == Sparse{6, 200});
    CHECK(sparse_spans(spans, 1'000, false) == kNone);
    // What would give back next to nothing is not worth a walk: all that lives is in full spans but for a few.
    spans = {};
    spans[19] = {640'000, 0}, spans[5] = {3'000, 9'000};
    CHECK(sparse_spans(spans, 643'000, true) == kNone);
    // However little lives in them, they may be large.
    spans[0] = {64, 100'000};
    CHECK(sparse_spans(spans, 643'064, true) == kAllInOpenScopes);
    // Of the fuller ones so many are taken as fit.
    Sparse some{3, 1'000};
    CHECK(some.take({600, 4'096, true}));  // less full
    CHECK(some.take({700, 4'096, true}));  // the first of those that are a twentieth fuller
    CHECK_FALSE(some.take({700, 4'096, true}));
    CHECK_FALSE(some.take({600, 4'096, false}));
    CHECK_FALSE(some.take({900, 4'096, true}));
    CHECK(some == Sparse{3, 300});
    // Of what has not stayed yet: only where more is free than lives.
    CHECK_FALSE(fresh_too({Fullness{10, 300}, Fullness{20, 300}}, 600));
    CHECK(fresh_too({Fullness{10, 300}, Fullness{20, 301}}, 600));
    CHECK(fullness_of(0, 4096) == 0);
    CHECK(fullness_of(4095, 4096) == 19);
    CHECK(fullness_of(4096, 4096) == 19);
}

TEST_CASE("the baseline collects next when the heap has grown by the factor and is not small") {
    CHECK(next_full_collection(100_MiB, 2.0, 16_MiB) == 200_MiB);
    CHECK(next_full_collection(100_MiB, 1.5, 16_MiB) == 150_MiB);
    CHECK(next_full_collection(1_MiB, 2.0, 16_MiB) == 16_MiB);
    CHECK(next_full_collection(0, 2.0, 16_MiB) == 16_MiB);
    CHECK(next_full_collection(1_TiB, 1e9, 16_MiB) == SIZE_MAX);
}

TEST_CASE("an emergency collection is due at the soft limit, and later when the last one freed little") {
    CHECK(next_emergency_collection(0, 70_MiB, 80_MiB) == 70_MiB);
    CHECK(next_emergency_collection(30_MiB, 70_MiB, 80_MiB) == 70_MiB);
    CHECK(next_emergency_collection(72_MiB, 70_MiB, 80_MiB) == 76_MiB);
    CHECK(next_emergency_collection(76_MiB, 70_MiB, 80_MiB) == 78_MiB);
    CHECK(next_emergency_collection(90_MiB, 70_MiB, 80_MiB) == 90_MiB);
    // However full, some room is left before the next one, and the threshold is never below the soft limit.
    for (std::size_t used = 0; used < 80_MiB; used += 1_MiB) {
        const std::size_t next = next_emergency_collection(used, 70_MiB, 80_MiB);
        CHECK(next >= 70_MiB);
        CHECK(next > used);
    }
}

TEST_CASE("a dense span stays, and sliding must free its share of what lives") {
    CHECK(stays(4096, 4096));
    CHECK(stays(850, 1000));
    CHECK_FALSE(stays(849, 1000));
    CHECK_FALSE(stays(1, 4096));
    const auto least = static_cast<std::uint64_t>(kLeastGain * 1000);
    CHECK(least > 10);
    CHECK(least < 500);
    CHECK(worth_sliding(least + 1, 1000));
    CHECK_FALSE(worth_sliding(least, 1000));
    CHECK_FALSE(worth_sliding(0, 0));
    CHECK(worth_sliding(1, 0));
}

#include "support/catch.hpp"

#include "death/child.hpp"
#include "gc/phase.hpp"
#include "runtime/heap_core.hpp"

#include <perfloc/units.hpp>

#include <set>
#include <utility>

using namespace perfloc::gc;
using namespace perfloc::literals;

namespace {

const perfloc::Options small{.reserve = 4_MiB, .limit = 2_MiB};

}  // namespace

TEST_CASE("a collection goes through its phases in one of two ways") {
    constexpr Phase all[] = {Phase::idle, Phase::mark, Phase::destroy, Phase::settle, Phase::compact};
    const std::set<std::pair<Phase, Phase>> allowed{{Phase::idle, Phase::mark},      {Phase::mark, Phase::destroy},
                                                    {Phase::destroy, Phase::settle}, {Phase::destroy, Phase::compact},
                                                    {Phase::settle, Phase::idle},    {Phase::compact, Phase::idle}};
    for (const Phase from : all) {
        for (const Phase to : all) CHECK(legal(from, to) == (allowed.count({from, to}) == 1));
    }
}

TEST_CASE("the owner of the phase follows legal transitions") {
    perfloc::detail::HeapCore heap(small);
    PhaseOwner owner(heap.events);
    CHECK(owner.now() == Phase::idle);
    for (const Phase last : {Phase::settle, Phase::compact}) {
        for (const Phase next : {Phase::mark, Phase::destroy, last, Phase::idle}) {
            owner.enter(next);
            CHECK(owner.now() == next);
        }
    }
}

TEST_CASE("an illegal transition of the phase aborts") {
    const death::Child child = death::run([] {
        perfloc::detail::HeapCore heap(small);
        PhaseOwner owner(heap.events);
        owner.enter(Phase::settle);
    });
    CHECK(child.died_saying({"phase 0 to 3"}));
}

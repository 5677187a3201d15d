// The end of a scope that nothing escapes from must not depend on its size: 1 GiB against 1 MiB, both with cold caches.
#include <perfloc/perfloc.hpp>

#include <cstdint>
#include <optional>

#include "support/clock.hpp"
#include "support/contest.hpp"
#include "support/evict.hpp"
#include "support/keeps_memory.hpp"
#include "support/options.hpp"
#include "support/table.hpp"

namespace {

using namespace perfloc::literals;

struct Link {
    perfloc::Ref<Link> next;
    std::uint64_t number;
};

constexpr perfloc::Bytes kLinkBytes = sizeof(Link) + 8;  // with its header

// Fills a scope with one list, evicts the caches and times the end alone.
bench::Sample time_end(perfloc::Label label, perfloc::Bytes bytes, bench::CacheEvictor& evictor) {
    std::optional<perfloc::Scope> scope(std::in_place, label);
    Link* list = nullptr;
    for (std::uint64_t i = 0; i < bytes / kLinkBytes; ++i) list = perfloc::make_raw<Link>(list, i);
    evictor.evict();
    bench::Sample sample;
    const auto start = bench::Clock::now();
    scope.reset();
    sample.figures[0] = bench::seconds_since(start);
    return sample;
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = bench::start(argc, argv, "ending a scope without escapes", 21);
    perfloc::Heap heap({.limit = 4_GiB, .return_after = bench::kKeepsMemory});
    perfloc::Mutator me(heap);
    bench::CacheEvictor evictor;

    const perfloc::Bytes large = options.sized(1_GiB);
    bench::Contest contest("end of a scope");
    contest.add("large", [&] { return time_end("large", large, evictor); });
    contest.add("small", [&] { return time_end("small", 1_MiB, evictor); });
    contest.run(options.rounds);

    bench::Table table;
    const std::string name = options.quick ? "0.1 GiB" : "1 GiB";
    table.row("end of " + name + " / end of 1 MiB", contest.ratio("large", "small"), "x", 1.5);
    table.row("end of " + name, contest.figure("large").scaled(1e6), "us", 5.0);
    table.row("end of 1 MiB", contest.figure("small").scaled(1e6), "us");
    table.print();
}

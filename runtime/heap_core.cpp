#include "runtime/heap_core.hpp"

#include "runtime/check.hpp"
#include "runtime/handles.hpp"
#include "runtime/heap_registry.hpp"
#include "runtime/own_listeners.hpp"

#include <perfloc/errors.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string_view>

namespace perfloc::detail {

namespace {

constexpr std::size_t kRegionsPerBlock = 16;
constexpr std::size_t kLeastRegions = 4096;

/// Bytes of each table for a block of 256 KiB.
std::array<AreaShape, kAreas> area_shapes() {
    std::array<AreaShape, kAreas> shapes{};
    const auto set = [&](Area area, std::size_t per_block, std::size_t least, std::size_t on_demand = 1) {
        shapes[static_cast<std::size_t>(area)] = {per_block, least, on_demand};
    };
    set(Area::region_of_page, kPagesPerBlock * sizeof(std::uint32_t), 0);
    set(Area::span_of_page, kPagesPerBlock * sizeof(std::uint32_t), 0);
    set(Area::block_spans, sizeof(Span), 0);
    set(Area::inner_spans, kPagesPerBlock * sizeof(Span), 0);
    set(Area::blocks, sizeof(BlockInfo), 0);
    set(Area::marks, kWordsPerBlock / 8, 0);
    set(Area::forwarding, kWordsPerBlock / 64 * sizeof(std::uint64_t), 0);
    set(Area::records, kRegionsPerBlock * sizeof(RegionRecord), kLeastRegions * sizeof(RegionRecord));
    set(Area::regions, kRegionsPerBlock * sizeof(Region), kLeastRegions * sizeof(Region));
    // Not only what programs record: a collection lists its roots, and the slots that lead into what it evacuates. Where it runs out,
    // the process ends.
    set(Area::chunks, kBlockBytes / 8, 1 << 20, 16);
    set(Area::scratch, kBlockBytes / 32, 1 << 18);
    set(Area::live, kWordsPerBlock / 8, 0);
    set(Area::cycle_scratch, kBlockBytes / 32, 1 << 18);
    set(Area::set_pages, kPagesPerBlock / 8, 0);
    return shapes;
}

Collector collector_by_name(std::string_view name) {
    if (name == "hinted") return Collector::hinted;
    if (name == "full") return Collector::full;
    if (name == "none") return Collector::none;
    throw OptionError(fmt::format("perfloc: PERFLOC_COLLECTOR: \"{}\" is none of hinted, full, none", name));
}

Options checked(Options options) {
    if (const char* const name = std::getenv("PERFLOC_COLLECTOR")) options.collector = collector_by_name(name);
    if (options.reserve == 0) throw OptionError("perfloc: Options::reserve is zero");
    if (!(options.full_growth_factor > 1.0)) throw OptionError("perfloc: Options::full_growth_factor must be above 1");
    check_pauses(options.pauses);
    if (options.return_after < std::chrono::nanoseconds::zero())
        throw OptionError("perfloc: Options::return_after is negative");
    if (options.limit == 0) options.limit = machine_limit();
    if (options.soft_limit == 0) options.soft_limit = options.limit / 8 * 7;
    if (options.soft_limit > options.limit) throw OptionError("perfloc: Options::soft_limit is above Options::limit");
    return options;
}

/// The limit, which is no more than what is reserved, nor is the soft one: else collections at the limits would never come.
std::size_t limit_within(Options& options, const Options& wanted, std::size_t reserved) {
    options.limit = std::min(options.limit, reserved);
    options.soft_limit = std::min(options.soft_limit, wanted.soft_limit == 0 ? options.limit / 8 * 7 : options.limit);
    return options.limit;
}

constexpr std::size_t kMostQuarantine = std::size_t{64} << 20;

std::uint64_t next_number() {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

void check_pauses(const PauseBudget& budget) {
    if (budget.max <= std::chrono::nanoseconds::zero())
        throw OptionError("perfloc: Options::pauses.max must be above 0");
    if (!(budget.utilization > 0.0 && budget.utilization < 1.0)) {
        throw OptionError("perfloc: Options::pauses.utilization must be above 0 and below 1");
    }
    if (budget.window <= std::chrono::nanoseconds::zero())
        throw OptionError("perfloc: Options::pauses.window must be above 0");
}

HeapCore::HeapCore(const Options& wanted)
    : number(next_number()),
      options(checked(wanted)),
      stress(Stress::from_environment()),
      own_listeners(listeners_from_environment(number)),
      memory(options.reserve, options.commit, area_shapes()),
      pages(memory),
      regions(memory),
      pool(memory, pages, regions,
           {.hard = limit_within(options, wanted, memory.bytes()),
            .quarantine = stress.quarantine() ? std::min(options.limit / 4, kMostQuarantine) : 0}),
      chunks(memory),
      deduplication(pages, pool, chunks) {
    for (const auto& listener : own_listeners) events.add(*listener);
    options.reserve = memory.bytes();
    options.commit = memory.in_steps() ? Commit::in_steps : Commit::on_demand;
    root = regions.create(RegionTable::kOwnLineage, nullptr);
    PERFLOC_CHECK(root != nullptr && root->index == kRootRegion, "internal: the root region is not region 1");
    root->label = Label("(root)");
    root->attention = kAlways;
    regions.record(*root).published = 1;
    pool.tell(events);
    const Moment start = events.now();
    for (HandleNode* list : {&dying, &dying_globals}) list->next = list->previous = list;
    if (const std::size_t bytes = pool.prefault(options.prefault); bytes != 0) {
        events.memory(MemoryEvent::Change::prefaulted, bytes, start);
    }
    register_heap(*this);
}

HeapCore::~HeapCore() {
    unregister_heap(*this);
    unpoison(memory.base(), pool.frontier_bytes());  // whoever gets these addresses next may touch them
}

}  // namespace perfloc::detail

// A full collection of a graph of small linked objects, half of them dead: perfloc's baseline against Boehm's
// collector. Each collection happens in a child of its own, on the same graph.
#include <perfloc/perfloc.hpp>

#include <fmt/core.h>
#define GC_THREADS
#include <gc/gc.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "support/child.hpp"
#include "support/clock.hpp"
#include "support/contest.hpp"
#include "support/options.hpp"
#include "support/prng.hpp"
#include "support/table.hpp"

namespace {

using namespace perfloc::literals;

enum Figure : std::size_t { kTotal, kMark, kRest, kPeak };

constexpr std::size_t kSegment = 1000;  // objects in one list

// Which objects there are, which of them live, and how these are linked: the same for both contenders. Objects are
// numbered as they are allocated. An object is two references and 0 to 3 words, with perfloc's header 24 to 48 bytes.
class Plan {
public:
    enum class Order { allocated, random };
    enum class Dead { clusters, every_other };

    Plan(std::size_t bytes, Order order, Dead dead) : objects_(bytes / 36), dead_(dead) {
        for (std::uint32_t i = 0; i < objects_; ++i) {
            if (lives(i)) order_.push_back(i);
        }
        if (order == Order::random) {
            bench::Prng random(7);
            for (std::size_t i = order_.size(); i > 1; --i) {
                std::swap(order_[i - 1], order_[random.below(static_cast<std::uint32_t>(i))]);
            }
        }
    }

    std::size_t objects() const { return objects_; }
    std::size_t dead() const { return objects_ - order_.size(); }
    const std::vector<std::uint32_t>& order() const { return order_; }  // of the living, as lists lead through them
    std::size_t segments() const { return (order_.size() + kSegment - 1) / kSegment; }

    static std::size_t words(std::uint32_t object) { return object * 0x9e3779b9u >> 30; }

    // Every object but the first refers back to one of the sixteen before it in the lists.
    static std::size_t back(std::size_t at) { return at - 1 - at * 0x9e3779b9u % std::min<std::size_t>(at, 16); }

private:
    bool lives(std::uint32_t object) const {
        constexpr std::uint32_t kCluster = 1 << 16;  // 2 MiB and more: whole spans live or die
        return (dead_ == Dead::every_other ? object : object / kCluster) % 2 == 0;
    }

    std::size_t objects_;
    Dead dead_;
    std::vector<std::uint32_t> order_;
};

struct Link {
    perfloc::Ref<Link> next, back;
};

struct PlainLink {
    PlainLink* next;
    PlainLink* back;
};

template <class T>
std::uint64_t& number_of(T* link) {
    return *reinterpret_cast<std::uint64_t*>(link + 1);
}

// Makes all objects in the order of their numbers, then links the living; heads[s] becomes the first of list s.
template <class T, class Make, class Heads>
void build(const Plan& plan, Make make, Heads& heads) {
    std::vector<T*> objects(plan.objects());
    for (std::uint32_t i = 0; i < objects.size(); ++i) {
        objects[i] = make(Plan::words(i) * 8);
        if (Plan::words(i) > 0) number_of(objects[i]) = i;
        if (i > 0) objects[i]->back = objects[i - 1];  // of the living it is set again below
    }
    const auto& order = plan.order();
    for (std::size_t at = 0; at < order.size(); ++at) {
        T* object = objects[order[at]];
        if (at % kSegment == 0) {
            heads[at / kSegment] = object;
        } else {
            objects[order[at - 1]]->next = object;
        }
        object->back = at == 0 ? nullptr : objects[order[Plan::back(at)]];
    }
}

// Walks all lists and checks every reference, as far as objects have a word for their number.
template <class T, class Heads>
std::uint64_t check(const Plan& plan, Heads& heads) {
    std::uint64_t sum = 0;
    const auto& order = plan.order();
    T* object = nullptr;
    for (std::size_t at = 0; at < order.size(); ++at) {
        object = at % kSegment == 0 ? static_cast<T*>(heads[at / kSegment]) : static_cast<T*>(object->next);
        if (Plan::words(order[at]) > 0) sum = sum * 31 + number_of(object);
        if (at > 0 && Plan::words(order[Plan::back(at)]) > 0) sum = sum * 31 + number_of(static_cast<T*>(object->back));
    }
    return sum;
}

// A collection that found less than the dead objects would be compared unfairly, on either side.
void expect_reclaimed(const char* who, std::size_t bytes, const Plan& plan) {
    if (bytes >= plan.dead() * sizeof(PlainLink)) return;
    fmt::print(stderr, "bench: {} reclaimed only {} bytes of {} dead objects\n", who, bytes, plan.dead());
    std::_Exit(1);
}

bench::Sample run_perfloc(const Plan& plan) {
    perfloc::Heap heap({.limit = 8_GiB, .collector = perfloc::Collector::full});
    perfloc::Mutator me(heap);
    auto heads = perfloc::make_array<perfloc::Ref<Link>>(plan.segments());
    const auto make = [](std::size_t extra) { return perfloc::make_raw<Link>(perfloc::ExtraBytes{extra}); };
    build<Link>(plan, make, *heads);

    bench::Sample sample;
    sample.figures[kTotal] = bench::seconds_of([&] { heap.collect_full(); });
    const perfloc::FullCollectionReport report = heap.stats().last_full();
    expect_reclaimed("perfloc", report.before_bytes - report.after_bytes, plan);
    // The report is in wall time; shares of it hold for CPU time as well.
    const auto all = report.mark + report.sweep + report.destructors + report.compact;
    sample.figures[kMark] = sample.figures[kTotal] * std::chrono::duration<double>(report.mark) / all;
    sample.figures[kRest] = sample.figures[kTotal] - sample.figures[kMark];
    sample.checksum = check<Link>(plan, *heads);
    return sample;
}

// Boehm sweeps when the memory is next allocated. A collection that may be stopped sweeps all that is left before it
// begins to mark; so one that is stopped just there is the sweeping alone, done by Boehm's own code.
double sweep_begin, sweep_end;
bool swept;

void GC_CALLBACK on_event(GC_EventType event) {
    if (event == GC_EVENT_START) sweep_begin = bench::now();
    if (event == GC_EVENT_PRE_STOP_WORLD) {
        sweep_end = bench::now();
        swept = true;
    }
}

double finish_sweeping() {
    GC_set_on_collection_event(on_event);
    GC_try_to_collect([] { return static_cast<int>(swept); });
    GC_set_on_collection_event(nullptr);
    return sweep_end - sweep_begin;
}

bench::Sample run_boehm(const Plan& plan) {
    GC_set_markers_count(1);
    GC_INIT();
    GC_disable();  // while the graph is built
    auto* heads = static_cast<PlainLink**>(GC_malloc_uncollectable(plan.segments() * sizeof(PlainLink*)));
    const auto make = [](std::size_t extra) { return static_cast<PlainLink*>(GC_malloc(sizeof(PlainLink) + extra)); };
    build<PlainLink>(plan, make, heads);
    GC_enable();

    bench::Sample sample;
    sample.figures[kMark] = bench::seconds_of([] { GC_gcollect(); });
    sample.figures[kRest] = finish_sweeping();
    sample.figures[kTotal] = sample.figures[kMark] + sample.figures[kRest];
    GC_prof_stats_s stats{};
    GC_get_prof_stats(&stats, sizeof stats);
    expect_reclaimed("Boehm", stats.bytes_reclaimed_since_gc, plan);
    sample.checksum = check<PlainLink>(plan, heads);
    return sample;
}

void compare(const bench::Options& options, bench::Table& table, Plan::Order order, Plan::Dead dead) {
    const bool stays = dead == Plan::Dead::clusters;
    const std::string what = fmt::format("{}, linked {}", stays ? "dense spans stay" : "all slides",
                                         order == Plan::Order::allocated ? "in order" : "at random");
    const Plan plan(options.sized(1_GiB), order, dead);
    bench::Contest contest(what);
    contest.add("perfloc", [&] { return bench::run_in_child([&] { return run_perfloc(plan); }, kPeak); });
    contest.add("boehm", [&] { return bench::run_in_child([&] { return run_boehm(plan); }, kPeak); });
    contest.run(options.rounds, false);
    table.row(what + ": perfloc / Boehm", contest.ratio("perfloc", "boehm"), "x", stays ? 0.7 : 1.3);
    table.row(what + ": peak memory, perfloc / Boehm", contest.ratio("perfloc", "boehm", kPeak));
    for (const char* name : {"perfloc", "boehm"}) {
        table.row(fmt::format("{}: {}", what, name), contest.figure(name).scaled(1e3), "ms");
        table.row(fmt::format("{}: {}, marking", what, name), contest.figure(name, kMark).scaled(1e3), "ms");
        table.row(fmt::format("{}: {}, the rest", what, name), contest.figure(name, kRest).scaled(1e3), "ms");
    }
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = bench::start(argc, argv, "a full collection of 1 GiB, half dead", 3);
    bench::Table table;
    for (const auto dead : {Plan::Dead::clusters, Plan::Dead::every_other}) {
        for (const auto order : {Plan::Order::allocated, Plan::Order::random}) compare(options, table, order, dead);
    }
    table.print();
}

// A message ring: the last 200,000 messages of 1 KiB are alive, and each push drops the oldest. First in, first out: no
// scope fits, so the heap lives on pressure alone. Each contender runs in a child of its own.
#include <perfloc/perfloc.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "support/child.hpp"
#include "support/clock.hpp"
#include "support/contest.hpp"
#include "support/operations.hpp"
#include "support/options.hpp"
#include "support/peers.hpp"
#include "support/table.hpp"

namespace {

enum Figure : std::size_t { kTotal, kCpu, kP9999, kWorst, kWorstCpu, kPeak };

struct Load {
    std::uint32_t live, pushes;
    std::uint32_t poll_every;  // pushes
    std::uint32_t soft;        // the heap's soft limit, in percent of the live size
};

struct Message {  // kWords follow, uninitialised until they are written
    std::uint64_t number;
};
constexpr std::size_t kWords = 127, kBytes = sizeof(Message) + 8 * kWords;
static_assert(kBytes == 1024);

Message* write(Message* message, std::uint64_t number) {
    auto* const words = reinterpret_cast<std::uint64_t*>(message + 1);
    message->number = number;
    for (std::size_t i = 0; i < kWords; ++i) words[i] = number + i;
    return message;
}

std::uint64_t read(const Message* message) {
    return message->number * 31 + reinterpret_cast<const std::uint64_t*>(message + 1)[kWords - 1];
}

// push(place, number) puts a new message in the place of the oldest, whose sum it returns.
template <class Push>
bench::Sample push_all(const Load& load, Push&& push) {
    bench::Sample sample;
    bench::OperationClock clock;
    const std::int64_t wall = bench::wall_ns(), cpu = bench::process_cpu_ns();
    clock.start();
    std::uint32_t place = 0;
    for (std::uint32_t number = 0; number < load.pushes; ++number) {
        sample.checksum = sample.checksum * 7 + push(place, number);
        place = place + 1 == load.live ? 0 : place + 1;
        clock.lap();
    }
    sample.figures[kTotal] = static_cast<double>(bench::wall_ns() - wall) * 1e-9;
    sample.figures[kCpu] = static_cast<double>(bench::process_cpu_ns() - cpu) * 1e-9;
    sample.figures[kP9999] = clock.percentile(0.9999);
    sample.figures[kWorst] = clock.worst_wall();
    sample.figures[kWorstCpu] = clock.worst_cpu();
    return sample;
}

bench::Sample run_perfloc(const Load& load, perfloc::Collector collector) {
    perfloc::Options options;
    const perfloc::Bytes live = perfloc::Bytes{load.live} * (kBytes + 16);
    options.collector = collector;
    options.soft_limit = live * load.soft / 100;
    options.limit = 2 * live;
    perfloc::Heap heap(options);
    perfloc::Mutator me(heap);
    const auto ring = perfloc::make_array<perfloc::Ref<Message>>(load.live);
    return push_all(load, [&](std::uint32_t place, std::uint32_t number) {
        if (number % load.poll_every == 0) perfloc::poll();
        perfloc::Ref<Message>& slot = (*ring)[place];
        const std::uint64_t sum = slot ? read(slot) : 0;
        slot = write(perfloc::make_raw<Message>(perfloc::ExtraBytes{8 * kWords}, number), number);
        return sum;
    });
}

template <class Allocator>
bench::Sample run_allocator(const Load& load) {
    std::vector<Message*> ring(load.live);
    return push_all(load, [&](std::uint32_t place, std::uint32_t number) {
        Message*& slot = ring[place];
        std::uint64_t sum = 0;
        if (slot) {
            sum = read(slot);
            Allocator::release(slot);
        }
        slot = write(static_cast<Message*>(Allocator::allocate(kBytes)), number);
        return sum;
    });
}

}  // namespace

int main(int argc, char** argv) {
    int live = 200'000, pushes = 5'000'000, poll_every = 32, soft = 130;
    const auto options = bench::start(argc, argv, "a ring of 200,000 messages of 1 KiB, 5 million pushed", 5,
                                      {{"--live", "messages in the ring", &live},
                                       {"--pushes", "messages in all", &pushes},
                                       {"--poll-every", "pushes", &poll_every},
                                       {"--soft", "the heap's soft limit, in percent of the live size", &soft}});
    const auto count = [](int n) { return static_cast<std::uint32_t>(n); };
    const Load load{count(options.sized(live)), count(options.sized(pushes)), count(poll_every), count(soft)};
    bench::keep_freed_memory();

    bench::Contest contest("ring");
    const auto add = [&](const char* name, auto run) {
        contest.add(name, [=] { return bench::run_in_child([=] { return run(load); }, kPeak); });
    };
    add("hinted", [](const Load& l) { return run_perfloc(l, perfloc::Collector::hinted); });
    add("full", [](const Load& l) { return run_perfloc(l, perfloc::Collector::full); });
    add(bench::Glibc::kName, run_allocator<bench::Glibc>);
    add(bench::Mimalloc::kName, run_allocator<bench::Mimalloc>);
    contest.run(options.rounds, false);

    bench::Table table;
    for (const char* theirs : {bench::Glibc::kName, bench::Mimalloc::kName, "full"}) {
        const bool barred = theirs == bench::Glibc::kName;
        const auto compare = [&](const char* what, Figure figure, std::optional<bench::Bar> bar) {
            table.row(std::string(what) + ": hinted / " + theirs, contest.ratio("hinted", theirs, figure), "x", bar);
        };
        compare("total, wall", kTotal, barred ? std::optional<bench::Bar>(1.3) : std::nullopt);
        compare("total, CPU of all threads", kCpu, std::nullopt);
        compare("peak memory", kPeak, barred ? std::optional<bench::Bar>(1.5) : std::nullopt);
        compare("worst push, CPU", kWorstCpu, std::nullopt);
    }
    for (const char* name : {"hinted", "full", bench::Glibc::kName, bench::Mimalloc::kName}) {
        const std::string who = name;
        const bool barred = who == "hinted";
        const auto most = [&](double noise) {
            return barred ? std::optional<bench::Bar>(1e3 + noise * 1e6) : std::nullopt;
        };
        table.row(who + ": worst push, CPU", contest.figure(name, kWorstCpu).scaled(1e6), "us",
                  most(options.noise.cpu));
        table.row(who + ": worst push, wall", contest.figure(name, kWorst).scaled(1e6), "us", most(options.noise.wall));
        table.row(who + ": 99.99 % of pushes, wall", contest.figure(name, kP9999).scaled(1e6), "us");
        table.row(who + ": a push, wall", contest.figure(name, kTotal).scaled(1e9 / load.pushes), "ns");
        table.row(who + ": peak memory", contest.figure(name, kPeak).scaled(1.0 / (1 << 20)), "MiB");
    }
    table.print();
}

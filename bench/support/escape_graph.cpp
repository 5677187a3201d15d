#include "escape_graph.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace bench {

namespace {

constexpr std::uint32_t kLongestExponent = 12;

std::size_t words_at(std::uint32_t place) { return place % 4; }

std::uint64_t* words(Link* link) { return reinterpret_cast<std::uint64_t*>(link + 1); }

std::size_t bytes_of(std::uint32_t length) {
    std::size_t bytes = 0;
    for (std::uint32_t place = length / 4 * 4; place < length; ++place) bytes += 24 + 8 * words_at(place);
    return bytes + length / 4 * (4 * 24 + 8 * (1 + 2 + 3));
}

// One of the sixteen places before `place` that has a number.
std::uint32_t back_of(std::uint32_t place) {
    const std::uint32_t near = place - 1 - place * 0x9e3779b9u % std::min(place, 16u);
    if (near % 4 != 0) return near;
    return near >= 4 ? near - 1 : 1;
}

// A chain while it is made: what its next objects may refer back to.
struct Growing {
    std::uint32_t made = 0;
    Link* last = nullptr;
    std::array<Link*, 32> recent{};
};

void append(Growing& chain, Link* first_back, std::uint64_t number) {
    const std::uint32_t place = chain.made++;
    Link* const back = place < 2 ? first_back : chain.recent[back_of(place) % 32];
    Link* const made = perfloc::make_raw<Link>(perfloc::ExtraBytes{8 * words_at(place)}, nullptr, back);
    if (words_at(place) > 0) words(made)[0] = number;
    if (words_at(place) > 1) words(made)[1] = words(back)[0];
    if (words_at(place) > 2) words(made)[2] = ~number;
    if (chain.last != nullptr) chain.last->next = made;
    chain.last = chain.recent[place % 32] = made;
}

}  // namespace

ChainPlan::ChainPlan(perfloc::Bytes bytes, double share) {
    Prng random(11);
    std::size_t made = 0;
    while (made < bytes) {
        Group& group = groups_.emplace_back();
        while (group.size() < kGroup && made < bytes) {
            const std::uint32_t length = 1u << random.below(kLongestExponent + 1);
            made += bytes_of(length);
            const bool escapes = static_cast<double>(escaping_bytes_) < share * static_cast<double>(made);
            group.push_back({length, escapes});
            if (escapes) escaping_bytes_ += bytes_of(length);
            escaping_chains_ += escapes;
        }
    }
}

ChainTable::ChainTable(std::size_t chains)
    : chains_(chains),
      direct_(perfloc::make_array<perfloc::Ref<Link>>(chains / 2 + 1)),
      holders_(perfloc::make_array<perfloc::Ref<Holder>>(chains / 2 + 1)) {
    for (std::size_t i = 0; i < holders_->size(); ++i) (*holders_)[i] = perfloc::make_raw<Holder>();
}

perfloc::Ref<Link>& ChainTable::slot(std::size_t chain) const {
    return chain % 2 == 0 ? (*direct_)[chain / 2] : (*holders_)[chain / 2]->chain;
}

void ChainTable::make_chains(const ChainPlan& plan) {
    Link* last_escaped = nullptr;  // what is garbage refers to what is not
    std::array<Growing, ChainPlan::kGroup> growing;
    for (std::size_t number = 0; number < plan.groups().size(); ++number) {
        const ChainPlan::Group& group = plan.groups()[number];
        growing.fill({});
        const auto append_to = [&](std::size_t i) {
            Growing& chain = growing[i];
            const bool escapes = group[i].escapes;
            append(chain, escapes ? nullptr : last_escaped, ++numbers_);
            if (chain.made == 1 && escapes) slot(used_++ % chains_) = last_escaped = chain.last;
        };
        if (ChainPlan::at_once(number)) {
            for (std::uint32_t place = 0; place < 1u << kLongestExponent; ++place) {
                for (std::size_t i = 0; i < group.size(); ++i) {
                    if (place < group[i].length) append_to(i);
                }
            }
        } else {
            for (std::size_t i = 0; i < group.size(); ++i) {
                for (std::uint32_t place = 0; place < group[i].length; ++place) append_to(i);
            }
        }
    }
}

void ChainTable::relink(Prng& random) {
    const auto any = [&] { return random.below(static_cast<std::uint32_t>(std::max<std::size_t>(chains_, 1))); };
    swap(slot(any()), slot(any()));

    Link* a = slot(any());
    Link* b = slot(any());
    for (std::uint32_t steps = random.below(4); steps > 0 && a && b; --steps) {
        a = a->next;
        b = b->next;
    }
    if (a && b) swap(a->next, b->next);

    perfloc::Ref<Holder>& holder = (*holders_)[any() / 2];
    holder = perfloc::make_raw<Holder>(holder->chain);
}

std::uint64_t ChainTable::check() const {
    std::uint64_t sum = 0;
    for (std::size_t chain = 0; chain < chains_; ++chain) {
        std::uint32_t place = 0;
        for (Link* link = slot(chain); link != nullptr; link = link->next, ++place) {
            ++sum;
            if (words_at(place) > 0) sum += words(link)[0] * 0x9e3779b97f4a7c15;
            if (words_at(place) > 1 && words(link)[1] != words(link->back.get())[0]) {
                fmt::print(stderr, "bench: object {} refers back to another than {}\n", words(link)[0], words(link)[1]);
                std::exit(1);
            }
        }
    }
    return sum;
}

}  // namespace bench

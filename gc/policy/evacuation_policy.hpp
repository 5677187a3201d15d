#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

/// Which spans are emptied by moving what lives in them, after marking: plain numbers in, a decision out.
namespace perfloc::gc {

/// A span with survivors, after marking.
struct MarkedSpan {
    std::uint64_t live_bytes = 0;
    std::uint64_t span_bytes = 0;
    bool movable = false;  ///< nothing in it is pinned, by type, size or handle
};

/// At half full, evacuating costs as many copied bytes as it frees. Below it, a survivor that keeps a span is moved. In a scope
/// that goes on, where this bounds its memory, sooner.
inline constexpr double kEvacuateBelow = 0.5, kEvacuateInOpenScopesBelow = 0.7;

/// Spans that may move, by how full they are, in twentieths.
struct Fullness {
    std::uint64_t live_bytes = 0;
    std::uint64_t free_bytes = 0;  ///< but for whole pages, which are cut out of what stays
};
using SpansByFullness = std::array<Fullness, 20>;

/// In scopes that go on, spans are evacuated that have stayed once: most of what dies dies young (Ungar, "Generation scavenging", 1984),
/// so that others may be empty, and not only sparse, when they are looked at next; and what was promoted lately was found
/// dense enough then. But not where what is free in spans is more than what lives in all.
constexpr bool fresh_too(const SpansByFullness& spans, std::uint64_t all_live) {
    std::uint64_t free_bytes = 0;
    for (const Fullness& some : spans) free_bytes += some.free_bytes;
    return free_bytes > all_live;
}

/// How full a span may be that is still evacuated: the emptiest go first, until a 32nd of all that lives, or a fifth in scopes
/// that go on, would be moved: moving costs several times as much as marking. What is nearly empty is always worth it; but
/// where all of it together would give back little of what lives, nothing is (0): to move anything, the references in all
/// that lives are walked once more, which takes nearly as long as to mark it.
constexpr double evacuate_below(const SpansByFullness& spans, std::uint64_t all_live, bool stays) {
    const double most = stays ? kEvacuateInOpenScopesBelow : kEvacuateBelow;
    const std::uint64_t quota = all_live / (stays ? 5 : 32);
    constexpr std::size_t kNearlyEmpty = 2;
    std::uint64_t moved = 0, gained = 0;
    double below = most;
    for (std::size_t i = 0; i < spans.size(); ++i) {
        moved += spans[i].live_bytes;
        const double fullness = static_cast<double>(i) / static_cast<double>(spans.size());
        if (fullness >= most || (moved > quota && i >= kNearlyEmpty)) {
            below = std::min(fullness, most);
            break;
        }
        gained += spans[i].free_bytes;
    }
    return gained < all_live / (stays ? 32 : 2) ? 0 : below;
}

constexpr std::size_t fullness_of(std::uint64_t live_bytes, std::uint64_t span_bytes) {
    return std::min<std::size_t>(live_bytes * SpansByFullness{}.size() / span_bytes, SpansByFullness{}.size() - 1);
}

constexpr bool evacuate(const MarkedSpan& span, double below, bool stress) {
    if (!span.movable) return false;
    return stress || static_cast<double>(span.live_bytes) < below * static_cast<double>(span.span_bytes);
}

}  // namespace perfloc::gc

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
inline constexpr std::size_t kEvacuateBelow = 10, kEvacuateInOpenScopesBelow = 14;  // twentieths

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

constexpr std::size_t fullness_of(std::uint64_t live_bytes, std::uint64_t span_bytes) {
    return std::min<std::size_t>(live_bytes * SpansByFullness{}.size() / span_bytes, SpansByFullness{}.size() - 1);
}

/// What is evacuated: spans that are less full than so many twentieths, and of those that are one fuller, some.
struct Sparse {
    std::size_t twentieths = 0;
    std::uint64_t more_bytes = 0;  ///< that live in these

    friend constexpr bool operator==(const Sparse&, const Sparse&) = default;

    /// Whether the span is; what lives in it is taken out of more_bytes then.
    constexpr bool take(const MarkedSpan& span) {
        const std::size_t fullness = fullness_of(span.live_bytes, span.span_bytes);
        if (!span.movable || fullness > twentieths) return false;
        if (fullness < twentieths) return true;
        if (span.live_bytes > more_bytes) return false;
        more_bytes -= span.live_bytes;
        return true;
    }
};

/// The emptiest go first, until a 32nd of all that lives, or a fifth in scopes that go on, would be moved: moving costs several
/// times as much as marking. (Where all are about as full as each other, some go, and others next time.) What is nearly empty is
/// always worth it; but where all of it together would give back little of what lives, nothing is: to move anything, the
/// references in all that lives are walked once more, which takes nearly as long as to mark it.
constexpr Sparse sparse_spans(const SpansByFullness& spans, std::uint64_t all_live, bool stays) {
    const std::size_t most = stays ? kEvacuateInOpenScopesBelow : kEvacuateBelow;
    const std::uint64_t quota = all_live / (stays ? 5 : 32);
    constexpr std::size_t kNearlyEmpty = 2;
    std::uint64_t moved = 0, gained = 0;
    Sparse sparse;
    for (; sparse.twentieths < most; ++sparse.twentieths) {
        const Fullness& next = spans[sparse.twentieths];
        if (moved + next.live_bytes > quota && next.live_bytes != 0 && sparse.twentieths >= kNearlyEmpty) {
            sparse.more_bytes = quota - std::min(moved, quota);
            gained += next.free_bytes * sparse.more_bytes / next.live_bytes;
            break;
        }
        moved += next.live_bytes;
        gained += next.free_bytes;
    }
    return gained < all_live / (stays ? 32 : 2) ? Sparse{} : sparse;
}

/// Whether a span is whose scope ends now.
constexpr bool evacuate(const MarkedSpan& span, bool stress) {
    return span.movable && (stress || fullness_of(span.live_bytes, span.span_bytes) < kEvacuateBelow);
}

}  // namespace perfloc::gc

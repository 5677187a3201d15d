#pragma once

#include <perfloc/detail/export.hpp>
#include <perfloc/label.hpp>

#include <cstddef>
#include <cstdint>

/// What the inline fast paths read and write, and nothing else: the hot part of a region, a region's record, a handle's
/// links, the label's counters, and the mutator's hot words.
namespace perfloc::detail {

struct MutatorCore;

inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kPageShift = 12;
inline constexpr std::size_t kWordBytes = 8;
inline constexpr std::size_t kHeaderBytes = 8;
inline constexpr std::size_t kLargeBytes = 32 * 1024;  ///< an object above this has a span of its own

/// A root: linked into the list of the region that its object is in. A list is a circle through a sentinel, so that
/// linking and unlinking have no branch.
struct HandleNode {
    void* object = nullptr;
    HandleNode* next = nullptr;  ///< null while it is in no list
    HandleNode* previous = nullptr;
    MutatorCore* owner = nullptr;
};

/// Whether it pays to look if little survives of a scope, by what became of it at the last ones of its label: after n times in
/// vain the next 2^n - 1 are not looked at, at most 63.
struct Surveys {
    std::uint8_t in_vain = 0;  ///< in a row
    std::uint8_t skipped = 0;  ///< since the last

    bool due() { return ++skipped >= 1u << in_vain; }
    void found(bool little) {
        skipped = 0;
        in_vain = little ? std::uint8_t{0} : static_cast<std::uint8_t>(in_vain < 6 ? in_vain + 1 : 6);
    }
};

/// What the scopes of one label have done. The fast ones are kept by the fast path of a scope's end; everything that
/// ended there was released in O(1).
struct LabelCounters {
    std::uint64_t fast_ended = 0;
    std::uint64_t slow_ended = 0;
    std::uint64_t fast_bytes = 0;
    std::uint64_t slow_bytes = 0;
    std::uint64_t slow_released_bytes = 0;  ///< of those, released in O(1)
    std::uint64_t promoted_bytes = 0;
    std::uint64_t promoted_objects = 0;
    std::uint64_t kept = 0;
    std::uint32_t shape_pages = 1;  ///< pages of the first span that the next scope of this label gets
    Surveys surveys;
};

/// A region's few hot bytes, in one array. `key` is (lineage << 32 | depth), so that "a's scope encloses b's" is one
/// subtraction and one compare; a region that is condemned, merged or in the pool has a key that nothing matches.
struct RegionRecord {
    std::uint64_t key = 0;
    std::uint32_t alias = 0;  ///< merged into this region; 0: not merged
    std::uint8_t state = 0;   ///< runtime::RegionState
    std::uint8_t published = 0;
    std::uint8_t looked_at = 0;  ///< in the set of the running collection
    std::uint8_t unused_bits = 0;
};

inline constexpr std::uint64_t kDepthSpan = std::uint64_t{1} << 24;  ///< deeper nests than this are refused
/// In RegionHot::attention, while a constructor of an object of the region runs.
inline constexpr std::uint32_t kConstructingBit = 1u << 6;

inline constexpr std::uint32_t kNoRegion = 0;
inline constexpr std::uint32_t kRootRegion = 1;

/// `outer` is the same scope as `inner`, or an enclosing one of the same lineage.
PERFLOC_INLINE bool key_encloses(std::uint64_t outer, std::uint64_t inner) { return inner - outer < kDepthSpan; }

/// The part of a region that the fast paths of allocation and of a scope's begin and end use.
struct RegionHot {
    char* cursor = nullptr;  ///< next free byte of the current span (the mutator's hot words hold it while current)
    RegionHot* parent = nullptr;
    char* limit = nullptr;
    RegionHot* spare = nullptr;  ///< a closed inner region that keeps its first span: the next inner scope
    char* start = nullptr;       ///< where the first span begins
    LabelCounters* counters = nullptr;
    /// Addresses that differ in lower bits only are in the current span, where one is: the size of that, if it is an aligned power
    /// of two, or a page's; 1 where there is none.
    std::uintptr_t span_bytes = 1;
    HandleNode handles;           ///< sentinel of the strong handles into this region
    std::uint32_t attention = 0;  ///< non-zero: the scope's end looks closer (runtime::Attention)
    std::uint32_t index = 0;
    std::uint32_t constructing = 0;  ///< constructors of objects of this region that are running
    Label label = "";
};

/// The words that a mutator's fast paths use, in thread-local storage themselves and not behind a pointer. Words that are
/// written together are kept apart: GCC 12 would merge the stores of neighbours through a vector register, and a scope
/// would take twice its time.
struct Hot {
    char* cursor = nullptr;
    std::uintptr_t base = 0;
    char* limit = nullptr;
    std::uintptr_t reserved = 0;
    RegionHot* region = nullptr;
    std::uintptr_t watch = 0;  ///< all ones while every store must be looked at
    std::uintptr_t span_bytes = 1;
    MutatorCore* mutator = nullptr;
    /// The mutator; something else while a handle that is copied, moved or dropped must be looked at (protocol P9).
    const MutatorCore* handle_owner = nullptr;
    const std::uint32_t* region_of_page = nullptr;
    const RegionRecord* records = nullptr;
    std::uint32_t quiet = 0;  ///< law [quiet]: constructors and destructors of managed objects that are running
};

PERFLOC_API extern constinit thread_local Hot hot __attribute__((tls_model("initial-exec")));

PERFLOC_INLINE bool in_heap(const void* address) {
    return reinterpret_cast<std::uintptr_t>(address) - hot.base < hot.reserved;
}

PERFLOC_INLINE std::size_t page_of(const void* address) {
    return (reinterpret_cast<std::uintptr_t>(address) - hot.base) >> kPageShift;
}

}  // namespace perfloc::detail

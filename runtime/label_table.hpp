#pragma once

#include "runtime/hash.hpp"

#include <perfloc/detail/hot.hpp>
#include <perfloc/stats.hpp>

#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

namespace perfloc::detail {

/// The counters of each label of a heap. A label is looked up by its address and line when a scope's label differs from
/// that of the last scope in its place; labels with the same text are reported as one. At most 4,096 labels; what comes
/// after counts as "(other labels)". Not thread-safe.
class LabelTable {
public:
    LabelTable();

    LabelCounters& find(const Label& label);
    /// How a label reads in messages.
    static std::string name(const Label& label);
    /// What ended; the caller adds the scopes that are open.
    std::vector<LabelStats> report() const;
    std::uint64_t fast_ended() const;

private:
    static constexpr std::size_t kMostLabels = 4096;
    static constexpr std::size_t kCacheSlots = 256;
    struct Entry {
        Label label;
        LabelCounters counters;
    };
    struct Hash {
        std::size_t operator()(const Label& label) const noexcept { return scattered(label.text()) ^ label.line(); }
    };

    LabelCounters& add(const Label& label);

    std::deque<Entry> entries_;  // addresses stay
    std::unordered_map<Label, Entry*, Hash> by_label_;
    std::vector<Entry*> cache_;  // direct-mapped, before the map
};

}  // namespace perfloc::detail

#include "runtime/label_table.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

namespace perfloc {

Label Label::intern(std::string_view text) {
    static std::mutex lock;
    static std::set<std::string, std::less<>>* const texts = new std::set<std::string, std::less<>>;
    const std::lock_guard guard(lock);
    auto at = texts->find(text);
    if (at == texts->end()) at = texts->emplace(text).first;
    return Label(Interned{}, at->c_str());
}

namespace detail {

LabelTable::LabelTable() : cache_(kCacheSlots, nullptr) { entries_.push_back({Label("(other labels)"), {}}); }

std::string LabelTable::name(const Label& label) {
    if (label.line() == 0) return label.text();
    const std::string_view path = label.text();
    const std::size_t slash = path.rfind('/');
    return fmt::format("{}:{}", slash == path.npos ? path : path.substr(slash + 1), label.line());
}

LabelCounters& LabelTable::find(const Label& label) {
    Entry*& cached = cache_[Hash{}(label) >> 8 & (kCacheSlots - 1)];
    if (cached != nullptr && cached->label == label) return cached->counters;
    const auto at = by_label_.find(label);
    if (at == by_label_.end()) return add(label);
    cached = at->second;
    return cached->counters;
}

LabelCounters& LabelTable::add(const Label& label) {
    if (entries_.size() >= kMostLabels) return entries_.front().counters;
    entries_.push_back({label, {}});
    by_label_.emplace(label, &entries_.back());
    return entries_.back().counters;
}

std::uint64_t LabelTable::fast_ended() const {
    std::uint64_t ended = 0;
    for (const Entry& entry : entries_) ended += entry.counters.fast_ended;
    return ended;
}

std::vector<LabelStats> LabelTable::report() const {
    std::map<std::string, LabelStats> by_name;  // literals of two translation units may be the same text
    for (const Entry& entry : entries_) {
        const LabelCounters& c = entry.counters;
        if (&entry == &entries_.front() && c.fast_ended + c.slow_ended == 0) continue;
        LabelStats& stats = by_name[name(entry.label)];
        stats.ended += c.fast_ended + c.slow_ended;
        stats.kept += c.kept;
        stats.allocated_bytes += c.fast_bytes + c.slow_bytes;
        stats.released_bytes += c.fast_bytes + c.slow_released_bytes;
        stats.promoted_bytes += c.promoted_bytes;
        stats.promoted_objects += c.promoted_objects;
    }
    std::vector<LabelStats> all;
    for (auto& [name, stats] : by_name) {
        stats.name = name;
        stats.begun = stats.ended;
        all.push_back(std::move(stats));
    }
    std::sort(all.begin(), all.end(), [](const LabelStats& a, const LabelStats& b) {
        return a.allocated_bytes != b.allocated_bytes ? a.allocated_bytes > b.allocated_bytes : a.name < b.name;
    });
    return all;
}

}  // namespace detail
}  // namespace perfloc

#pragma once

#include "gc/cycle/cycle.hpp"

namespace perfloc::gc {

/// Gives the pages of a span to another region, those of a large object in pieces: from its end, since references lead to its first
/// page. One span at a time.
class Stamper {
public:
    /// False where the slice ends first. Afterwards finish() has a piece left.
    bool all_but_first(detail::PageTable& pages, std::uint32_t page, std::uint32_t region, const Deadline& deadline) {
        if (left_ == 0 && pages.span(page).pages <= kAtOnce) return true;  // also what may yet be cut
        if (left_ == 0) left_ = pages.span(page).pages;
        while (left_ > kAtOnce) {
            left_ -= kAtOnce;
            pages.stamp_region(page + left_, kAtOnce, region);
            if (deadline.passed_now()) return false;
        }
        return true;
    }
    /// What is left of the span, or all of it.
    void finish(detail::PageTable& pages, std::uint32_t page, std::uint32_t region) {
        pages.stamp_region(page, left_ != 0 ? left_ : pages.span(page).pages, region);
        left_ = 0;
    }

private:
    static constexpr std::uint32_t kAtOnce = 4096;  // pages: about a microsecond

    std::uint32_t left_ = 0;
};

}  // namespace perfloc::gc

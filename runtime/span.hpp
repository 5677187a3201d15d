#pragma once

#include "runtime/memory.hpp"
#include "runtime/relaxed.hpp"

#include <array>
#include <cstdint>

namespace perfloc::detail {

enum class SpanKind : std::uint8_t {
    movable,  ///< objects that may move, laid out without gaps by a bump cursor
    pinned,   ///< objects that never move, by their type
    large,    ///< one object of more than 32 KiB
};

/// What is known of a run of pages that was handed to one region. Indexed by its first page; lists are linked by page
/// number, and page 0 is never handed out.
struct Span {
    std::uint64_t generation;  ///< law [stale]: changes when the span is handed out again
    std::uint32_t next;        ///< in the region's list; 0 ends it
    std::uint32_t pages;
    std::uint64_t top_bytes;  ///< objects are laid out in [0, top): of the span that is bumped into, at the last refill
    std::uint64_t live_bytes;   ///< of the last marking
    std::uint32_t pins;         ///< handles that pin objects in it
    std::uint32_t destination;  ///< during a collection: the region that its survivors go to
    SpanKind kind;
    bool live_map;   ///< only objects whose words are set in the heap's live map are alive (law [stale])
    bool slides;     ///< during a collection: its survivors are moved
    bool bumped;     ///< some cursor is in it
    bool condemned;  ///< a collection that stops the program looks at it: what is not marked in it is dying
    bool holes;      ///< during a collection: it has pages that nothing lives in
    bool stayed;     ///< it has been there when open scopes were collected
    std::uint8_t unused[1];
    std::uint32_t cycle;      ///< the last collection beside the program that marked in it
    std::uint32_t settled;    ///< the last one that is done with it
    std::uint32_t held;       ///< the last one during which a handle into it was seen: it is not evacuated
    std::uint32_t candidate;  ///< its number, from 1, among the spans that are to be evacuated
};
static_assert(sizeof(Span) == 64);

/// A list of spans in the order in which they were handed out.
struct SpanList {
    std::uint32_t head = 0;
    std::uint32_t tail = 0;
    std::uint32_t count = 0;

    bool empty() const { return head == 0; }
};

/// The spans of a region, by how they are cut.
struct SpanLists {
    SpanList blocks;  ///< spans of one whole block
    SpanList runs;    ///< smaller ones
    SpanList large;   ///< those of one large object each

    std::uint32_t spans() const { return blocks.count + runs.count + large.count; }
    std::array<SpanList*, 3> lists() { return {&blocks, &runs, &large}; }
    std::array<const SpanList*, 3> lists() const { return {&blocks, &runs, &large}; }
    /// The list that a span belongs in.
    SpanList& of(const Span& span) {
        return span.kind == SpanKind::large ? large : span.pages == kPagesPerBlock ? blocks : runs;
    }
};

/// From an address to its page, its region and its span: the tables that describe the heap's pages. Relaxed: a recorded
/// slot may be in a page that the background takes back just now; whichever it reads, law [stale] finds it dead.
class PageTable {
public:
    explicit PageTable(const Memory& memory)
        : base_(reinterpret_cast<std::uintptr_t>(memory.base())),
          bytes_(memory.bytes()),
          region_of_page_(reinterpret_cast<std::uint32_t*>(memory.area(Area::region_of_page))),
          span_of_page_(reinterpret_cast<std::uint32_t*>(memory.area(Area::span_of_page))),
          block_spans_(reinterpret_cast<Span*>(memory.area(Area::block_spans))),
          inner_spans_(reinterpret_cast<Span*>(memory.area(Area::inner_spans))) {}

    bool contains(const void* address) const { return reinterpret_cast<std::uintptr_t>(address) - base_ < bytes_; }
    std::uint32_t page_of(const void* address) const {
        return static_cast<std::uint32_t>((reinterpret_cast<std::uintptr_t>(address) - base_) >> kPageShift);
    }
    char* address_of(std::uint32_t page) const {
        return reinterpret_cast<char*>(base_ + (std::uintptr_t{page} << kPageShift));
    }
    std::uint32_t region_at(const void* address) const { return load_relaxed(region_of_page_[page_of(address)]); }
    std::uint32_t span_page(const void* address) const { return load_relaxed(span_of_page_[page_of(address)]); }
    /// Those that begin a block lie close together: in a large heap most spans are whole blocks, and a table of all pages would have
    /// a page of its own for each of them (1.6 % of the heap).
    Span& span(std::uint32_t first_page) const {
        const bool inner = first_page % kPagesPerBlock != 0;
        return (inner ? inner_spans_ : block_spans_)[inner ? first_page : first_page / kPagesPerBlock];
    }
    Span& span_at(const void* address) const { return span(span_page(address)); }
    /// Into the cache, what region_at() and span_page() read; and when that is there, the span.
    void fetch(const void* address) const {
        __builtin_prefetch(&region_of_page_[page_of(address)], 0, 3);
        __builtin_prefetch(&span_of_page_[page_of(address)], 0, 3);
    }
    void fetch_span(const void* address) const { __builtin_prefetch(&span_at(address), 0, 3); }

    void stamp_region(std::uint32_t page, std::uint32_t pages, std::uint32_t region) {
        for (std::uint32_t i = 0; i < pages; ++i) store_relaxed(region_of_page_[page + i], region);
    }
    void stamp_span(std::uint32_t page, std::uint32_t pages) {
        for (std::uint32_t i = 0; i < pages; ++i) store_relaxed(span_of_page_[page + i], page);
    }
    const std::uint32_t* regions() const { return region_of_page_; }
    std::uintptr_t base() const { return base_; }

    // --- lists
    void append(SpanList& list, std::uint32_t page) {
        span(page).next = 0;
        if (list.tail != 0) {
            span(list.tail).next = page;
        } else {
            list.head = page;
        }
        list.tail = page;
        ++list.count;
    }
    std::uint32_t pop(SpanList& list) {
        const std::uint32_t page = list.head;
        list.head = span(page).next;
        if (list.head == 0) list.tail = 0;
        --list.count;
        return page;
    }
    /// Moves all of `from` behind `to`. O(1).
    void splice(SpanList& to, SpanList& from) {
        if (from.empty()) return;
        if (to.empty()) {
            to = from;
        } else {
            span(to.tail).next = from.head;
            to.tail = from.tail;
            to.count += from.count;
        }
        from = {};
    }
    void splice(SpanLists& to, SpanLists& from) {
        splice(to.blocks, from.blocks);
        splice(to.runs, from.runs);
        splice(to.large, from.large);
    }
    /// Removes `page` from wherever it is in the list. O(length).
    void remove(SpanList& list, std::uint32_t page) {
        SpanList rest;
        while (!list.empty()) {
            const std::uint32_t p = pop(list);
            if (p != page) append(rest, p);
        }
        list = rest;
    }
    template <class F>
    void for_each(const SpanList& list, F&& f) const {
        for (std::uint32_t page = list.head; page != 0;) {
            const std::uint32_t next = span(page).next;  // f may hand the span on
            f(page, span(page));
            page = next;
        }
    }
    template <class F>
    void for_each(const SpanLists& lists, F&& f) const {
        for (const SpanList* const list : lists.lists()) for_each(*list, f);
    }

private:
    std::uintptr_t base_;
    std::size_t bytes_;
    std::uint32_t* region_of_page_;
    std::uint32_t* span_of_page_;
    Span* block_spans_;  // of the spans that begin with a block, by block
    Span* inner_spans_;  // of the others, by page
};

}  // namespace perfloc::detail

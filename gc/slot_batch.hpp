#pragma once

#include "gc/mark/mark_bitmap.hpp"
#include "runtime/heap_core.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace perfloc::gc {

/// Recorded slots, a few at a time: they lie anywhere in the heap, and so does all that law [stale] asks of them: what the
/// page table says, and whether they are marked. Fetched together, their latencies overlap.
class SlotBatch {
public:
    using Slots = detail::ChunkList<detail::IncomingSlot>;

    /// It is not worth it for fewer: and most scopes that something escapes from have one.
    static constexpr std::size_t kFew = 3;

    explicit SlotBatch(const detail::HeapCore& heap)
        : pages_(heap.pages),
          marks_(heap.memory),
          live_(heap.memory, detail::Area::live),
          asks_marks_(heap.collection.dead_known) {}

    /// The next ones behind the cursor. False where there is none.
    template <class List>
    bool next(const List& slots, typename List::Cursor& cursor) {
        const bool any = look_up(slots, cursor);
        fetch();
        return any;
    }
    /// The newest ones, which leave the list. False where there is none.
    bool pop(Slots& slots, detail::ChunkPool& chunks) {
        for (count_ = 0; count_ < kMost && !slots.empty(); ++count_) slots_[count_] = slots.pop(chunks);
        fetch_spans();
        fetch();
        return count_ != 0;
    }
    /// As next(), for those who ask the page table first, so that not all of the slots need be fetched.
    template <class List>
    bool look_up(const List& slots, typename List::Cursor& cursor) {
        count_ = 0;
        while (count_ < kMost) {
            const detail::IncomingSlot* const slot = cursor.next(slots);
            if (slot == nullptr) break;
            slots_[count_++] = *slot;
        }
        fetch_spans();
        return count_ != 0;
    }
    /// Takes those out of which `unwanted` is true, and fetches the others.
    template <class F>
    void fetch_others(F&& unwanted) {
        count_ =
            static_cast<std::size_t>(std::remove_if(slots_.data(), slots_.data() + count_, unwanted) - slots_.data());
        fetch();
    }
    const detail::IncomingSlot* begin() const { return slots_.data(); }
    const detail::IncomingSlot* end() const { return slots_.data() + count_; }

private:
    static constexpr std::size_t kMost = 16;  // about what a core fetches at once

    /// Calls f on those that are in another page than the one before: neighbours are often of one object.
    template <class F>
    void at_each_page(F&& f) const {
        std::uint32_t known = 0;
        for (const detail::IncomingSlot& slot : *this) {
            const std::uint32_t page = pages_.page_of(slot.slot);
            if (page != known) f(slot.slot);
            known = page;
        }
    }
    void fetch_spans() const {
        at_each_page([&](const void* slot) { pages_.fetch(slot); });
        at_each_page([&](const void* slot) { pages_.fetch_span(slot); });
    }
    void fetch() const {
        for (const detail::IncomingSlot& slot : *this) __builtin_prefetch(slot.slot, 1, 3);
        if (asks_marks_) {
            for (const detail::IncomingSlot& slot : *this) __builtin_prefetch(marks_.word_for(slot.slot), 0, 3);
        }
        std::uint32_t known = 0;
        bool mapped = false;
        for (const detail::IncomingSlot& slot : *this) {
            const std::uint32_t page = pages_.page_of(slot.slot);
            if (page != known) mapped = pages_.span_at(slot.slot).live_map;
            known = page;
            if (mapped) __builtin_prefetch(live_.word_for(slot.slot), 0, 3);
        }
    }

    const detail::PageTable& pages_;
    MarkBitmap marks_, live_;
    bool asks_marks_;
    std::array<detail::IncomingSlot, kMost> slots_;
    std::size_t count_ = 0;
};

}  // namespace perfloc::gc

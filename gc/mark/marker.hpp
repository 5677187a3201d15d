#pragma once

#include "gc/mark/mark_bitmap.hpp"
#include "runtime/check.hpp"
#include "runtime/heap_core.hpp"
#include "runtime/type_table.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <vector>

namespace perfloc::gc {

using detail::Header;
using detail::HeapCore;

/// Depth-first marking with a first-in first-out queue of prefetched objects before the stack is followed (after Cher,
/// Hosking and Vitek, "Software prefetching for mark-sweep garbage collection", 2004), but within a page without either. Arrays, and objects of many references, are scanned in pieces, so
/// that the stack stays small. The stack is in memory reserved beside the heap; when that is full, marked objects are
/// scanned again until nothing is new.
///
/// `Set` is the condemned set: contains(target) says what marking looks at, and marked(object, bytes) is told what it found.
template <class Set>
class Marker {
public:
    Marker(HeapCore& heap, MarkBitmap& marks, Set& set, detail::Area scratch = detail::Area::scratch)
        : marks_(marks),
          set_(set),
          shapes_(detail::type_shapes()),
          stack_(reinterpret_cast<void**>(heap.memory.area(scratch))),
          limit_(heap.memory.area_committed(scratch) / sizeof(void*)),
          rest_(heap.chunks) {}

    /// A root, or what a root slot holds. Null and targets outside the set are ignored. Where the stack is full it is marked at once: marked
    /// objects are scanned again, but a root that found no place would be lost.
    void visit_root(void* target) {
        if (target == nullptr || !set_.contains(target)) return;
        if (top_ == limit_) [[unlikely]] {
            mark(target);
        } else {
            push(target);
        }
    }

    /// Marks all that is reachable from what was visited. False when the stack was too small: scan the marked objects
    /// again with rescan(), and drain once more.
    bool drain() {
        return drain([] {});
    }
    /// As above; calls breathe() after some 32 to 64 objects and every piece of an object of many references.
    template <class Breathe>
    bool drain(Breathe&& breathe) {
        const auto breathe_if_due = [&] {
            if (work_ < kObjectsABreath) return;
            work_ = 0;
            breathe();
        };
        for (;;) {
            while (top_ != 0) {
                breathe_if_due();
                void* const next = stack_[--top_];
                prefetch(next);
                void*& place = queue_[turn_++ % kQueue];
                void* const object = place;
                place = next;
                if (object != nullptr) mark(object);
            }
            bool drained = true;
            for (std::size_t i = 0; i < kQueue; ++i) {
                void* const object = std::exchange(queue_[turn_++ % kQueue], nullptr);
                if (object == nullptr) continue;
                breathe_if_due();
                mark(object);
                drained = false;
            }
            if (!drained || top_ != 0) continue;
            if (rest_.empty()) break;
            scan_piece();
            breathe();
        }
        return !std::exchange(overflowed_, false);
    }

    /// Visits what a marked object refers to and is not marked yet: so that a pass over all marked objects that overflows
    /// again has marked something new.
    void rescan(void* object, Header header) {
        detail::for_each_ref(object, header, shapes_, [this](std::atomic<void*>& slot) {
            void* const target = slot.load(std::memory_order_relaxed);
            if (target == nullptr || marks_.test(static_cast<char*>(target) - detail::kHeaderBytes)) return;
            visit(target);
        });
    }

    std::uint64_t objects() const { return objects_; }

private:
    void visit(void* target) {
        if (target != nullptr && set_.contains(target)) push(target);
    }

    static constexpr std::size_t kQueue = 16;
    static constexpr std::size_t kObjectsABreath = 32;
    static constexpr std::uint64_t kPiece = 512;  // references of one object scanned in one go

    /// What is left of an object of many references: those from the number on.
    struct Rest {
        void* object;
        std::uint64_t next;
    };

    void prefetch(const void* object) const {
        const char* const header = static_cast<const char*>(object) - detail::kHeaderBytes;
        __builtin_prefetch(header, 0, 3);
        __builtin_prefetch(marks_.word_for(header), 1, 3);
    }
    void push(void* object) {
        if (top_ == limit_) [[unlikely]] {
            overflowed_ = true;
            return;
        }
        stack_[top_++] = object;
    }
    /// Marks the object, and what is found in its page from there on: that is in the cache, or on its way, and need not queue.
    PERFLOC_INLINE void mark(void* object) {
        for (const std::size_t most = work_ + kObjectsABreath; object != nullptr;) {
            if (work_ == most) return push(object);
            ++work_;
            const Header header = detail::header_of(object);
            const std::size_t bytes = detail::object_bytes(header, shapes_);
            if (!marks_.mark(static_cast<char*>(object) - detail::kHeaderBytes, bytes)) return;
            ++objects_;
            set_.marked(object, bytes);
            object = scan(object, header);
        }
    }
    static bool is_near(const void* object, const void* target) {
        const auto apart = reinterpret_cast<std::uintptr_t>(object) ^ reinterpret_cast<std::uintptr_t>(target);
        return apart < detail::kPageBytes;
    }
    /// Visits what the object refers to, but for one object in its page that is not marked yet: returns that, or null. (What is in the
    /// page of an object of the set is in the set.)
    PERFLOC_INLINE void* scan(void* object, Header header) {
        const detail::TypeShape& shape = shapes_[detail::header_type(header)];
        if (shape.stride == 0 && !shape.many_refs) [[likely]] {
            // Last reference first, so that the first is followed first: objects are often linked as they were allocated.
            auto* const words = static_cast<std::atomic<void*>*>(object);
            void* near = nullptr;
            for (std::uint64_t bits = shape.ref_words; bits != 0;) {
                const auto word = static_cast<unsigned>(std::bit_width(bits)) - 1;
                bits ^= std::uint64_t{1} << word;
                void* const target = words[word].load(std::memory_order_relaxed);
                if (!is_near(object, target)) {
                    visit(target);
                } else if (!marks_.test(static_cast<char*>(target) - detail::kHeaderBytes)) {
                    if (near != nullptr) push(near);
                    near = target;
                }
            }
            return near;
        }
        scan_many(object, header);
        return nullptr;
    }
    /// Apart, so that the way of small objects stays short (a full collection took 4 to 6 % longer).
    __attribute__((noinline)) void scan_many(void* object, Header header) {
        if (references(shapes_[detail::header_type(header)], header) > kPiece) {
            rest_.push_back({object, 0});
        } else {
            visit_all(object, header);
        }
    }
    void visit_all(void* object, Header header) {
        detail::for_each_ref(object, header, shapes_,
                             [this](std::atomic<void*>& slot) { visit(slot.load(std::memory_order_relaxed)); });
    }

    /// Of an element, or of an object that is no array.
    static std::uint64_t references_each(const detail::TypeShape& shape, Header header) {
        if (!shape.many_refs) return static_cast<std::uint64_t>(std::popcount(shape.ref_words));
        return detail::type_info(detail::header_type(header)).ref_offsets.size();
    }
    static std::uint64_t references(const detail::TypeShape& shape, Header header) {
        return references_each(shape, header) * (shape.stride == 0 ? 1 : detail::header_count(header));
    }
    void scan_piece() {
        Rest& rest = rest_.back();
        char* const object = static_cast<char*>(rest.object);
        const std::uint64_t from = rest.next;
        const Header header = detail::header_of(object);
        const detail::TypeShape& shape = shapes_[detail::header_type(header)];
        const std::uint64_t each = references_each(shape, header);
        const std::uint64_t all = references(shape, header);
        // Whole elements, but of those that have more references than words in a mask.
        const std::uint64_t n = std::min(all - from, shape.many_refs ? kPiece : kPiece / each * each);
        rest.next += n;
        if (rest.next == all) rest_.pop_back();
        if (!shape.many_refs) {
            const Header part = detail::make_header(detail::header_type(header), n / each);
            return visit_all(object + from / each * shape.stride, part);
        }
        const std::vector<std::uint32_t>& offsets = detail::type_info(detail::header_type(header)).ref_offsets;
        for (std::uint64_t i = from; i < from + n; ++i) {
            char* const slot = object + i / each * shape.stride + offsets[i % each];
            visit(reinterpret_cast<std::atomic<void*>*>(slot)->load(std::memory_order_relaxed));
        }
    }

    MarkBitmap& marks_;
    Set& set_;
    const detail::TypeShape* shapes_;
    void** stack_;
    std::size_t limit_;
    std::size_t top_ = 0;
    std::array<void*, kQueue> queue_{};
    std::size_t turn_ = 0;
    std::size_t work_ = 0;  ///< objects looked at since the last breath
    detail::List<Rest> rest_;
    std::uint64_t objects_ = 0;
    bool overflowed_ = false;
};

}  // namespace perfloc::gc

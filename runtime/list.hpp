#pragma once

#include "runtime/chunk_pool.hpp"

#include <cstddef>
#include <new>
#include <type_traits>
#include <vector>

namespace perfloc::detail {

/// Memory for the lists of collectors: the program's, and where that is refused, from what is reserved beside the heap. So a
/// collection never stops in the middle for want of a list; where that is used up too, the process ends with a line that says so.
template <class T>
class ListAllocator {
public:
    using value_type = T;
    using propagate_on_container_move_assignment = std::true_type;
    using propagate_on_container_swap = std::true_type;

    ListAllocator(ChunkPool& pool) : pool_(&pool) {}
    template <class U>
    ListAllocator(const ListAllocator<U>& other) : pool_(other.pool()) {}

    T* allocate(std::size_t n) {
        static_assert(alignof(T) <= alignof(std::max_align_t));
        void* memory = ::operator new(n * sizeof(T), std::nothrow);
        if (memory == nullptr) [[unlikely]]
            memory = pool_->take_run(n * sizeof(T));
        return static_cast<T*>(memory);
    }
    void deallocate(T* memory, std::size_t n) noexcept {
        if (pool_->owns(memory)) [[unlikely]]
            return pool_->give_run(memory, n * sizeof(T));
        ::operator delete(memory, std::nothrow);
    }
    ChunkPool* pool() const { return pool_; }
    friend bool operator==(const ListAllocator& a, const ListAllocator& b) { return a.pool_ == b.pool_; }

private:
    ChunkPool* pool_;
};

/// A sequence whose growth is never refused.
template <class T>
using List = std::vector<T, ListAllocator<T>>;

}  // namespace perfloc::detail

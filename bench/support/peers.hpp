#pragma once

#include <mimalloc.h>

#include <cstddef>
#include <memory>
#include <memory_resource>
#include <new>

namespace bench {

// glibc's allocator. Called through pointers that were looked up in glibc itself, since Debian's libmimalloc replaces
// malloc, and even __libc_malloc, in every program that is linked with it. A call through a pointer costs what a call
// of a shared library's function costs anyway.
struct Glibc {
    static constexpr const char* kName = "malloc";
    static void* allocate(std::size_t bytes) { return malloc_(bytes); }
    static void release(void* block) { free_(block); }

private:
    static void* (*const malloc_)(std::size_t);
    static void (*const free_)(void*);
};

struct Mimalloc {
    static constexpr const char* kName = "mimalloc";
    static void* allocate(std::size_t bytes) { return mi_malloc(bytes); }
    static void release(void* block) { mi_free(block); }
};

// Peers keep the memory they have freed, as perfloc does with kKeepsMemory: glibc does not trim or map single blocks, mimalloc
// does not decommit. Without it both take page faults in every round. Call it before the first allocation that is
// measured.
void keep_freed_memory();

// What std::pmr::new_delete_resource() is where malloc is glibc's.
class GlibcResource final : public std::pmr::memory_resource {
    void* do_allocate(std::size_t bytes, std::size_t) override {
        if (void* block = Glibc::allocate(bytes)) return block;
        throw std::bad_alloc();
    }
    void do_deallocate(void* block, std::size_t, std::size_t) override { Glibc::release(block); }
    bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

// The two usual ways to reuse an arena for one scope after another. `release()` on `arena` ends the scope.
class PmrUpstream {  // every scope takes its buffers from malloc and gives them back
public:
    static constexpr const char* kName = "pmr upstream";
    explicit PmrUpstream(std::size_t) {}

private:
    GlibcResource upstream_;

public:
    std::pmr::monotonic_buffer_resource arena{&upstream_};
};

class PmrBuffer {  // one buffer, large enough for a scope, is kept from scope to scope
public:
    static constexpr const char* kName = "pmr buffer";
    explicit PmrBuffer(std::size_t bytes)
        : buffer_(std::make_unique_for_overwrite<std::byte[]>(bytes)), arena(buffer_.get(), bytes, &upstream_) {}

private:
    GlibcResource upstream_;
    std::unique_ptr<std::byte[]> buffer_;

public:
    std::pmr::monotonic_buffer_resource arena;
};

}  // namespace bench

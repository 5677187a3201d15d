#include "gc/refuse_new.hpp"

#include <cstdlib>
#include <new>

// The program's operator new: malloc's memory, or none.
namespace {

thread_local bool refuses = false;
thread_local std::uint64_t granted = 0;  // yet
thread_local std::uint64_t refused_calls = 0;

void* take(std::size_t bytes) noexcept {
    if (!refuses) return std::malloc(bytes != 0 ? bytes : 1);
    if (granted == 0) {
        ++refused_calls;
        return nullptr;
    }
    --granted;
    return std::malloc(bytes != 0 ? bytes : 1);
}

void* take_or_throw(std::size_t bytes) {
    if (void* const memory = take(bytes); memory != nullptr) return memory;
    throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t bytes) { return take_or_throw(bytes); }
void* operator new[](std::size_t bytes) { return take_or_throw(bytes); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return take(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return take(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace support {

RefuseNew::RefuseNew(std::uint64_t from) {
    granted = from;
    refused_calls = 0;
    refuses = true;
}
RefuseNew::~RefuseNew() { refuses = false; }
std::uint64_t RefuseNew::refused() const { return refused_calls; }

}  // namespace support

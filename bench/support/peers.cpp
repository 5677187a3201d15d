#include "peers.hpp"

#include <dlfcn.h>
#include <fmt/core.h>
#include <malloc.h>

#include <climits>
#include <cstdlib>

namespace bench {

namespace {

template <class F>
F* in_glibc(const char* name) {
    void* const library = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    void* const function = library ? dlsym(library, name) : nullptr;
    if (!function) {
        fmt::print(stderr, "bench: {} is not found in glibc\n", name);
        std::exit(1);
    }
    return reinterpret_cast<F*>(function);
}

}  // namespace

void* (*const Glibc::malloc_)(std::size_t) = in_glibc<void*(std::size_t)>("malloc");
void (*const Glibc::free_)(void*) = in_glibc<void(void*)>("free");

void keep_freed_memory() {
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_MMAP_MAX, 0);
    mi_option_disable(mi_option_allow_decommit);
    mi_option_disable(mi_option_page_reset);
}

}  // namespace bench

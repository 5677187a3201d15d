#include "peers.hpp"

#include <malloc.h>

#include <climits>

namespace bench {

void keep_freed_memory() {
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_MMAP_MAX, 0);
    mi_option_disable(mi_option_allow_decommit);
    mi_option_disable(mi_option_page_reset);
}

}  // namespace bench

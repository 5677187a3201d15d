#include "evict.hpp"

#include "escape.hpp"

namespace bench {

void CacheEvictor::evict() {
    constexpr std::size_t kLine = 64;
    for (std::size_t i = 0; i < buffer_.size(); i += kLine) ++buffer_[i];
    keep(buffer_.data());
}

}  // namespace bench

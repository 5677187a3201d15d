#pragma once

#include <cstddef>
#include <vector>

namespace bench {

// Streams a buffer much larger than the last cache, so that what is timed next starts with cold caches.
class CacheEvictor {
public:
    explicit CacheEvictor(std::size_t bytes = std::size_t{256} << 20) : buffer_(bytes) {}
    void evict();

private:
    std::vector<char> buffer_;
};

}  // namespace bench

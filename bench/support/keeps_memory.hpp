#pragma once

#include <chrono>

namespace bench {

// For Options::return_after, where contenders take turns in one process: the heap keeps what is idle while others run, as its peers
// do (peers.hpp). With the default, a second, it took page faults in its turns that they did not.
inline constexpr std::chrono::hours kKeepsMemory{1};

}  // namespace bench

#pragma once

#include <sys/resource.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>

/// What the system says of this process's memory.
namespace support {

/// Bytes that are resident, exactly: `statm` is kept by each thread and may lag.
inline std::size_t resident_bytes() {
    std::ifstream file("/proc/self/smaps_rollup");
    for (std::string word; file >> word;) {
        std::size_t kib = 0;
        if (word == "Rss:" && file >> kib) return kib * 1024;
    }
    return 0;
}

/// Page faults of the calling thread that needed no disk.
inline std::uint64_t minor_faults() {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return static_cast<std::uint64_t>(usage.ru_minflt);
}

}  // namespace support

#include "runtime/memory.hpp"

#include <perfloc/errors.hpp>

#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>

namespace perfloc::detail {

namespace {

constexpr std::size_t kAlignment = kBlockBytes;
constexpr std::size_t kCommitStep = std::size_t{64} << 20;
constexpr std::size_t kDumpStep = std::size_t{1} << 30;

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14
#endif

std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

/// Writes to each page and changes nothing. Others may write there meanwhile, and a page that was given back may be
/// poisoned: no sanitizer is to look. (Volatile: what changes nothing may be left out.)
__attribute__((noinline, no_sanitize("thread"), no_sanitize("address"))) void touch(char* start, std::size_t bytes) {
    volatile char* const page = start;
    for (std::size_t at = 0; at < bytes; at += kPageBytes) __atomic_fetch_or(page + at, char{0}, __ATOMIC_RELAXED);
}

/// A number from a one-line file; `otherwise` where there is none ("max").
std::size_t read_number(const std::string& path, std::size_t otherwise) {
    std::ifstream file(path);
    std::size_t n = 0;
    return file >> n ? n : otherwise;
}

/// The limit of the cgroup that this process is in, or of an enclosing one (version 2, then version 1).
std::size_t cgroup_limit() {
    constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
    std::size_t least = none;
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        const std::size_t colon = line.find(':');
        const std::size_t second = line.find(':', colon + 1);
        if (colon == line.npos || second == line.npos) continue;
        const std::string controllers = line.substr(colon + 1, second - colon - 1);
        std::string path = line.substr(second + 1);
        const bool v2 = controllers.empty();
        if (!v2 && controllers.find("memory") == controllers.npos) continue;
        const std::string mount = v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
        const char* const name = v2 ? "/memory.max" : "/memory.limit_in_bytes";
        for (;; path.erase(path.rfind('/'))) {
            if (path == "/") path.clear();
            least = std::min(least, read_number(mount + path + name, none));
            if (path.empty()) break;
        }
    }
    return least;
}

}  // namespace

std::size_t machine_limit() {
    const auto pages = static_cast<std::size_t>(std::max(0L, sysconf(_SC_PHYS_PAGES)));
    const auto page = static_cast<std::size_t>(std::max(4096L, sysconf(_SC_PAGESIZE)));
    return std::min(pages * page, cgroup_limit());
}

bool strict_overcommit() { return read_number("/proc/sys/vm/overcommit_memory", 0) == 2; }

Memory::Memory(std::size_t bytes, Commit commit, const std::array<AreaShape, kAreas>& shapes) : shapes_(shapes) {
    in_steps_ = commit == Commit::in_steps || (commit == Commit::automatic && strict_overcommit());
    const std::size_t asked = round_up(std::clamp(bytes, kLeastReservation, kMostReservation), kBlockBytes);
    for (std::size_t size = asked;; size = round_up(size / 2, kBlockBytes)) {
        if (try_reserve(size, shapes)) break;
        if (size / 2 < kLeastReservation) {
            throw ReservationError(
                fmt::format("the system refused to reserve {} bytes of addresses for a heap, and less, "
                            "down to {}: {} (RLIMIT_AS, a container's limit, or strict overcommit)",
                            asked, size, std::strerror(errno)));
        }
    }
}

Memory::~Memory() {
    if (mapping_ != nullptr) ::munmap(mapping_, mapping_bytes_);
}

bool Memory::try_reserve(std::size_t bytes, const std::array<AreaShape, kAreas>& shapes) {
    const std::size_t blocks = bytes / kBlockBytes;
    std::size_t total = bytes + kAlignment;
    for (const AreaShape& shape : shapes) total += area_size(shape, blocks);

    const int protection = in_steps_ ? PROT_NONE : PROT_READ | PROT_WRITE;
    ++calls_.reserve;
    void* const mapping = ::mmap(nullptr, total, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) return false;
    mapping_ = static_cast<char*>(mapping);
    mapping_bytes_ = total;
    base_ = reinterpret_cast<char*>(round_up(reinterpret_cast<std::uintptr_t>(mapping_), kAlignment));
    bytes_ = bytes;
    char* next = base_ + bytes;
    for (std::size_t a = 0; a < kAreas; ++a) {
        area_start_[a] = next;
        area_bytes_[a] = area_size(shapes[a], blocks);
        next += area_bytes_[a];
    }
    // Core dumps hold the tables' and the heap's used part only. Advice: a refusal changes nothing else.
    ++calls_.advise;
    ::madvise(mapping_, mapping_bytes_, MADV_DONTDUMP);
    if (!commit_blocks(1)) {
        const int why = errno;
        ++calls_.release;
        ::munmap(mapping_, mapping_bytes_);
        mapping_ = nullptr;
        accessible_blocks_.store(0, std::memory_order_relaxed);
        errno = why;
        return false;
    }
    return true;
}

std::size_t Memory::area_size(const AreaShape& shape, std::size_t blocks) const {
    return round_up(std::max(shape.per_block * blocks, shape.least), kPageBytes) * (in_steps_ ? 1 : shape.on_demand);
}

std::size_t Memory::area_part(std::size_t area, std::size_t blocks) const {
    const std::size_t part = round_up(std::max(shapes_[area].per_block * blocks, shapes_[area].least), kPageBytes);
    return std::min(part, area_bytes_[area]);
}

std::size_t Memory::area_committed(Area a) const {
    return in_steps_ ? area_part(static_cast<std::size_t>(a), accessible_blocks()) : area_bytes(a);
}

bool Memory::commit_blocks(std::size_t wanted) {
    if (wanted <= accessible_blocks()) return true;
    const std::lock_guard guard(step_);
    if (wanted <= accessible_blocks()) return true;  // another thread was there before
    const std::size_t step = (in_steps_ ? kCommitStep : kDumpStep) / kBlockBytes;
    return commit_step(std::min(round_up(wanted, step), blocks()));
}

bool Memory::commit_step(std::size_t to) {
    if (in_steps_) {
        ++calls_.commit;
        if (::mprotect(base_, to * kBlockBytes, PROT_READ | PROT_WRITE) != 0) return false;
        for (std::size_t a = 0; a < kAreas; ++a) {
            ++calls_.commit;
            if (::mprotect(area_start_[a], area_part(a, to), PROT_READ | PROT_WRITE) != 0) return false;
        }
    }
    ++calls_.advise;
    ::madvise(base_, to * kBlockBytes, MADV_DODUMP);
    accessible_blocks_.store(to, std::memory_order_release);  // pairs with accessible_blocks()
    return true;
}

bool Memory::give_back(char* start, std::size_t bytes) {
    ++calls_.give_back;
    return ::madvise(start, bytes, MADV_DONTNEED) == 0;
}

bool Memory::populate_blocks(std::size_t first, std::size_t count) {
    // The tables' part is small, and a refusal there means no more than a page fault later.
    for (const Area area : {Area::region_of_page, Area::span_of_page, Area::block_spans}) {
        const std::size_t per_block = shapes_[static_cast<std::size_t>(area)].per_block;
        const std::size_t from = first * per_block / kPageBytes * kPageBytes;
        populate(this->area(area) + from, round_up((first + count) * per_block, kPageBytes) - from);
    }
    return populate(base_ + first * kBlockBytes, count * kBlockBytes);
}

bool Memory::populate(char* start, std::size_t bytes) {
    if (can_populate_.load(std::memory_order_relaxed)) {
        ++calls_.populate;
        if (::madvise(start, bytes, MADV_POPULATE_WRITE) == 0) return true;
        // No memory: to touch the pages would be worse than a refusal.
        if (errno != EINVAL && errno != EPERM && errno != ENOSYS) return false;
        can_populate_.store(false, std::memory_order_relaxed);  // an older kernel, or a filter
    }
    touch(start, bytes);
    return true;
}

SystemCalls Memory::system_calls() const {
    return {.reserve = calls_.reserve,
            .commit = calls_.commit,
            .give_back = calls_.give_back,
            .advise = calls_.advise,
            .release = calls_.release,
            .populate = calls_.populate};
}

}  // namespace perfloc::detail

#pragma once

#include <seccomp.h>

#include <cerrno>
#include <initializer_list>
#include <system_error>

/// From here on a system call for memory kills the process (SIGSYS). What libseccomp allocated for the filter is left:
/// to free it might be such a call.
inline void kill_on_memory_calls() {
    const auto check = [](int result) {
        if (result < 0) throw std::system_error(-result, std::generic_category(), "seccomp");
    };
    const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter == nullptr) throw std::system_error(ENOMEM, std::generic_category(), "seccomp_init");
    for (const int call :
         {SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(brk)}) {
        check(seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, call, 0));
    }
    check(seccomp_load(filter));
}

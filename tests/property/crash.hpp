// What becomes of a program that crashes: the heap aborts where it finds a law broken.
#pragma once

#include "census.hpp"
#include "program.hpp"

#include <string>

namespace perfloc::property {

/// While one lives, a signal that ends the process, or a sanitizer's report, is followed by the program's text.
class CrashReport {
public:
    explicit CrashReport(const Program& program);
    /// `text` says how to run it again.
    explicit CrashReport(std::string text);
    ~CrashReport();
    CrashReport(const CrashReport&) = delete;
    CrashReport& operator=(const CrashReport&) = delete;

private:
    std::string text_;
};

/// As run(), in a process of its own: a crash is a failure like any other, which shrinks.
std::string run_isolated(const Program& program, Census& census);

}  // namespace perfloc::property

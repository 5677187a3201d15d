#include "support/catch.hpp"

#include "api/environment.hpp"
#include "runtime/own_listeners.hpp"

#include <perfloc/errors.hpp>

#include <unistd.h>
#include <string>

using namespace perfloc;
using namespace perfloc::detail;

TEST_CASE("the path of a trace names the process and the heap where it is asked to") {
    const std::string pid = std::to_string(::getpid());
    CHECK(trace_path("trace.json", 1) == "trace.json");
    CHECK(trace_path("trace.json", 3) == "trace.json.3");
    CHECK(trace_path("%p/%h.json", 3) == pid + "/3.json");
    CHECK(trace_path("%p", 2) == pid + ".2");
    CHECK(trace_path("100%%h%", 2) == "100%2%");
    CHECK(trace_path("%x%", 1) == "%x%");
}

TEST_CASE("without the variables a heap has no listeners of its own") {
    const Environment log("PERFLOC_LOG", "");
    const Environment trace("PERFLOC_TRACE", "");
    CHECK(listeners_from_environment(1).empty());
}

TEST_CASE("a trace that cannot be written is an error of the option") {
    const Environment trace("PERFLOC_TRACE", "/nowhere/trace.json");
    try {
        listeners_from_environment(1);
        FAIL("no error");
    } catch (const OptionError& error) {
        CHECK(
            std::string(error.what()) ==
            "perfloc: cannot write the trace file \"/nowhere/trace.json\": No such file or directory (PERFLOC_TRACE)");
    }
}

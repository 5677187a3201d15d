// libFuzzer over random heap programs: any bytes are one.
#include "property/interpreter.hpp"
#include "property/program.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace perfloc::property;
    const Program program = Program::decode({data, size});
    Census census;
    const std::string failure = run(program, census);
    if (failure.empty()) return 0;
    std::fprintf(stderr, "%s\nPERFLOC_REPLAY=\"%s\"\n", failure.c_str(), program.text().c_str());
    std::abort();
}

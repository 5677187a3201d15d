#pragma once

#include <initializer_list>

#include "noise.hpp"

namespace bench {

struct Options {
    bool quick = false;
    int rounds = 0;
    NoiseFloor noise;

    // Sizes are given for the full run and are about ten times smaller with --quick.
    template <class T>
    T sized(T full) const {
        return quick ? full / 10 : full;
    }
};

struct ExtraOption {
    const char* name;
    const char* help;
    int* value;
};

// Reads --quick, --rounds, --cpu-time and what the bench adds; exits on --help and on errors. Prints the bench's title
// and the noise floor of the machine at this moment, since every figure below it is to be read beside that.
Options start(int argc, char** argv, const char* title, int default_rounds,
              std::initializer_list<ExtraOption> extra = {});

}  // namespace bench

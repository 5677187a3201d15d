// The entry of every Catch2 test program; version 2 also compiles its own implementation here.
#define CATCH_CONFIG_RUNNER
#include "support/catch.hpp"

int main(int argc, char** argv) { return Catch::Session().run(argc, argv); }

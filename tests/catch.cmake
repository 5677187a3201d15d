# The Catch2 programs, for version 2 or 3. Each of their test cases is a test of CTest.
find_package(Catch2 REQUIRED)
include(Catch)

file(GLOB support_sources CONFIGURE_DEPENDS support/*.cpp)
add_library(perfloc_test_support OBJECT ${support_sources})
target_link_libraries(perfloc_test_support PUBLIC perfloc_test_base Catch2::Catch2)

# What nearly every test includes, parsed once.
add_library(perfloc_test_headers OBJECT precompiled/headers.cpp)
target_link_libraries(perfloc_test_headers PUBLIC perfloc_test_base Catch2::Catch2)
target_precompile_headers(perfloc_test_headers PRIVATE support/catch.hpp <perfloc/perfloc.hpp> <string> <vector>)

# A name that matches no test case must not pass as success; version 3 sees to that itself.
set(catch_arguments "")
if(Catch2_VERSION VERSION_LESS 3)
  set(catch_arguments --warn NoTests)
endif()

# The interpreter of the random heap programs, which the seeded scheduler uses too.
file(GLOB interpreter_sources CONFIGURE_DEPENDS property/*.cpp)
list(FILTER interpreter_sources EXCLUDE REGEX "_test\\.cpp$")
add_library(perfloc_interpreter OBJECT ${interpreter_sources})
target_link_libraries(perfloc_interpreter PUBLIC perfloc_test_base)

# perfloc_catch_tests(<program> <folders...>): one program of all test cases below the folders.
function(perfloc_catch_tests program)
  list(TRANSFORM ARGN APPEND /*.cpp OUTPUT_VARIABLE patterns)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${patterns})
  list(REMOVE_ITEM sources ${interpreter_sources})
  if(NOT sources)
    return()
  endif()
  add_executable(${program} ${sources})
  target_link_libraries(${program} PRIVATE perfloc_test_support rapidcheck)
  target_precompile_headers(${program} REUSE_FROM perfloc_test_headers)
  # A program that cannot start would list no test cases: this test fails then.
  add_test(NAME "${program} starts" COMMAND ${program} --help)
  catch_discover_tests(${program} EXTRA_ARGS ${catch_arguments} PROPERTIES TIMEOUT 900)
endfunction()

perfloc_catch_tests(perfloc_tests runtime gc api)
perfloc_catch_tests(perfloc_property_tests property)
target_link_libraries(perfloc_property_tests PRIVATE perfloc_interpreter)
perfloc_catch_tests(perfloc_death_tests death)
perfloc_catch_tests(perfloc_stress_tests stress)
perfloc_catch_tests(perfloc_thread_tests threads)  # what is for ThreadSanitizer, beside random heap programs

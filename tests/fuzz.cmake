# fuzz/*.cpp: libFuzzer targets over the interpreter of the property tests. Clang only.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "libFuzzer needs Clang: cmake --preset fuzz")
endif()

target_compile_options(perfloc PRIVATE -fsanitize=fuzzer-no-link)

file(GLOB interpreter CONFIGURE_DEPENDS property/*.cpp)
list(FILTER interpreter EXCLUDE REGEX "_test\\.cpp$")
file(GLOB fuzzers CONFIGURE_DEPENDS fuzz/*.cpp)
foreach(fuzzer IN LISTS fuzzers)
  cmake_path(GET fuzzer STEM name)
  add_executable(${name} ${fuzzer} ${interpreter})
  target_link_libraries(${name} PRIVATE perfloc_test_base rapidcheck)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzzers)
  target_compile_options(${name} PRIVATE -fsanitize=fuzzer-no-link)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endforeach()

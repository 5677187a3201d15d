# Tests that are no Catch2 programs: of the headers, of the sources as text, of what must not compile, of the package.

# The API tour, always with its assertions.
add_executable(perfloc_tour consumer/tour.cpp)
target_link_libraries(perfloc_tour PRIVATE perfloc::perfloc)
target_compile_options(perfloc_tour PRIVATE -UNDEBUG)
add_test(NAME tour COMMAND perfloc_tour)
add_test(NAME "tour under stress" COMMAND perfloc_tour)
set_tests_properties("tour under stress" PROPERTIES ENVIRONMENT PERFLOC_STRESS=verify,move,poison)

# A million scopes under a filter that kills on a system call for memory; a sanitizer makes such calls of its own.
file(GLOB seccomp_sources CONFIGURE_DEPENDS seccomp/*.cpp)
if(seccomp_sources AND NOT PERFLOC_SANITIZE AND NOT PERFLOC_COVERAGE)
  find_library(SECCOMP_LIBRARY seccomp REQUIRED)
  add_executable(perfloc_seccomp_test ${seccomp_sources})
  target_link_libraries(perfloc_seccomp_test PRIVATE perfloc_test_base ${SECCOMP_LIBRARY})
  add_test(NAME "seccomp" COMMAND perfloc_seccomp_test)
endif()

# Every public header compiles alone.
if(CMAKE_VERIFY_INTERFACE_HEADER_SETS AND NOT PERFLOC_SANITIZE AND NOT PERFLOC_COVERAGE)
  add_test(NAME "public headers are self-contained"
    COMMAND ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target all_verify_interface_header_sets)
endif()

# The arrows between the folders, and the laws that the code cites: of the sources, however they are built.
if(NOT PERFLOC_SANITIZE AND NOT PERFLOC_COVERAGE)
  foreach(check layering laws)
    add_test(NAME ${check} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/${check}/run ${PROJECT_SOURCE_DIR})
    add_test(NAME "${check} finds what is wrong" COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/${check}/self_test)
  endforeach()
endif()

# The protocol of a collection beside the program, in each variant of the model; and what goes wrong where one of its
# rules is left out: "<variant>/<rule>", with the number of operations where a trace needs more. Once is enough: nothing
# of it depends on how perfloc is built.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT PERFLOC_SANITIZE AND NOT PERFLOC_COVERAGE)
  set(searches)
  foreach(variant slots handles small detached pressure pressure_small all alloc alloc_pressure alloc_anywhere holes)
    list(APPEND searches ${variant}/none)
  endforeach()
  foreach(rule P1 P2 P3 P7 P8 P10 P11 P13 P14 P14_KEY P16 P18 P21 HANDED LISTED KEPT SWEEP_LOOKS OWN_SPAN FLIP_LOOKS WAITING_SHADED)
    list(APPEND searches slots/${rule})
  endforeach()
  foreach(rule P9 P12 P12_SHADE P15 P17 WEAK_FIXED)
    list(APPEND searches handles/${rule})
  endforeach()
  foreach(rule DESTINATION P15_REFERRER/3 ROOTS_SHADE/3 FIXED_RECORDED/3)
    list(APPEND searches small/${rule})
  endforeach()
  foreach(rule LIVE_MAP POOL HOLE_GENERATION CUT_GENERATION)
    list(APPEND searches holes/${rule})
  endforeach()
  list(APPEND searches alloc/ALLOC_MOVES alloc/NEW_RECORDED alloc/NEW_EARLY/3 alloc_pressure/ALLOC_MOVES alloc_pressure/ALLOC_BEGINS/4)
  list(APPEND searches all/P22/3 detached/P20 detached/PARK detached/PARK_POLL detached/DYING pressure/P6 pressure/P6_POLL pressure/TOLD)
  foreach(search IN LISTS searches)
    string(REPLACE "/" ";" arguments ${search})
    add_test(NAME "model ${search}" COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/model/run ${arguments})
    set_tests_properties("model ${search}" PROPERTIES TIMEOUT 300)
  endforeach()
endif()

# Each of these must fail to compile, with a message that says what to do: once for each compiler.
if(PERFLOC_COVERAGE OR PERFLOC_SANITIZE STREQUAL "thread")
  return()
endif()
set(compile_flags -std=c++20 -I${PROJECT_SOURCE_DIR}/include)
foreach(dir IN LISTS Boost_INCLUDE_DIRS)
  if(NOT dir IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
    list(APPEND compile_flags -isystem ${dir})
  endif()
endforeach()
file(GLOB cases RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS compile_fail/*.cpp)
foreach(case IN LISTS cases)
  add_test(NAME ${case}
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/compile_fail/run ${CMAKE_CURRENT_SOURCE_DIR}/${case}
      ${CMAKE_CXX_COMPILER} ${compile_flags})
endforeach()
add_test(NAME "compile_fail finds what is wrong"
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/compile_fail/self_test ${CMAKE_CXX_COMPILER})

# Projects that use perfloc; an instrumented library is none that they would install.
if(NOT PERFLOC_SANITIZE AND NOT PERFLOC_COVERAGE)
  foreach(way find_package add_subdirectory pkg-config)
    add_test(NAME "consumer by ${way}"
      COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/consumer/run ${way} ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}
        ${CMAKE_CXX_COMPILER})
    set_tests_properties("consumer by ${way}" PROPERTIES RESOURCE_LOCK install_manifest COST 1000)  # long: first
  endforeach()
endif()

# What only perfloc's own builds use: a project that adds perfloc as a subdirectory sees none of it.

set(PERFLOC_SANITIZE "" CACHE STRING "Sanitizers to build with: address,undefined or thread")
option(PERFLOC_COVERAGE "Count which lines run")
option(PERFLOC_WERROR "Turn warnings into errors")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set_property(CACHE CMAKE_BUILD_TYPE PROPERTY VALUE Release)
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow)
if(PERFLOC_WERROR)
  add_compile_options(-Werror)
endif()

if(PERFLOC_SANITIZE)
  add_compile_options(-fsanitize=${PERFLOC_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${PERFLOC_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized)  # instrumented code misleads it, as GCC's manual says
  endif()
endif()

if(PERFLOC_COVERAGE)
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()

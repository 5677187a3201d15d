# schedule/*.cpp: a seeded scheduler over the interpreter of the property tests. Its points are in no library but this one;
# a library that is instrumented anyway has them itself, and need not be compiled twice.
file(GLOB scheduled_sources CONFIGURE_DEPENDS schedule/*.cpp)
add_executable(perfloc_schedule_tests ${scheduled_sources})
if(PERFLOC_SANITIZE OR PERFLOC_COVERAGE)
  target_compile_definitions(perfloc PUBLIC PERFLOC_SCHEDULE_POINTS)
  target_link_libraries(perfloc_schedule_tests PRIVATE perfloc_interpreter perfloc_test_support)
else()
  get_target_property(library_sources perfloc SOURCES)
  add_library(perfloc_scheduled STATIC ${library_sources})
  set_target_properties(perfloc_scheduled PROPERTIES UNITY_BUILD ON)
  target_include_directories(perfloc_scheduled PUBLIC ${PROJECT_SOURCE_DIR}/include
    PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(perfloc_scheduled PUBLIC PERFLOC_SCHEDULE_POINTS)
  target_compile_features(perfloc_scheduled PUBLIC cxx_std_20)
  target_link_libraries(perfloc_scheduled PUBLIC Boost::headers PRIVATE Boost::context fmt::fmt Threads::Threads)

  # No header has a point, so these are the same with either library.
  target_sources(perfloc_schedule_tests PRIVATE
    $<TARGET_OBJECTS:perfloc_interpreter> $<TARGET_OBJECTS:perfloc_test_support>)
  target_include_directories(perfloc_schedule_tests PRIVATE ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(perfloc_schedule_tests PRIVATE perfloc_scheduled Catch2::Catch2 fmt::fmt Threads::Threads)
endif()
catch_discover_tests(perfloc_schedule_tests EXTRA_ARGS ${catch_arguments} PROPERTIES TIMEOUT 900)

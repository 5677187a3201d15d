# `cmake --install`: the library and its headers, the CMake package and the pkg-config file.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/perfloc)

install(TARGETS perfloc EXPORT perfloc-targets FILE_SET HEADERS)
install(EXPORT perfloc-targets NAMESPACE perfloc:: DESTINATION ${package_dir})

configure_package_config_file(cmake/perfloc-config.cmake.in perfloc-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(perfloc-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/perfloc-config.cmake ${PROJECT_BINARY_DIR}/perfloc-config-version.cmake
  DESTINATION ${package_dir})

# A static library leaves its own dependencies to whoever links it.
set(pkg_config_dependencies "")
if(NOT BUILD_SHARED_LIBS)
  set(pkg_config_dependencies "-lboost_context -lfmt -pthread")
endif()
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_LIBDIR BASE_DIRECTORY "\${prefix}" OUTPUT_VARIABLE pkg_config_libdir)
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_INCLUDEDIR BASE_DIRECTORY "\${prefix}" OUTPUT_VARIABLE pkg_config_includedir)
configure_file(cmake/perfloc.pc.in perfloc.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/perfloc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

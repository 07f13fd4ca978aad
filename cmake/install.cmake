# SPDX-License-Identifier: BSD-3-Clause
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Tessera")

install(TARGETS tessera EXPORT TesseraTargets FILE_SET HEADERS)
if(TESSERA_BUILD_SCALAPACK)
  install(TARGETS tessera_scalapack)  # to be preloaded, or linked before ScaLAPACK
endif()
install(EXPORT TesseraTargets NAMESPACE Tessera:: DESTINATION "${package_dir}")

configure_package_config_file(cmake/TesseraConfig.cmake.in TesseraConfig.cmake INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file(TesseraConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/TesseraConfig.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/TesseraConfigVersion.cmake"
  "${CMAKE_CURRENT_SOURCE_DIR}/cmake/FindTesseraDependencies.cmake"
  DESTINATION "${package_dir}")

if(PROJECT_IS_TOP_LEVEL)  # an application's build may have a Kokkos that is not installed
  include(cmake/pkgconfig.cmake)
endif()

# Where Debian's Python looks below /usr; elsewhere, PYTHONPATH must name it.
if(TESSERA_BUILD_PYTHON)
  set(TESSERA_PYTHON_DIR "lib/python3/dist-packages" CACHE STRING "Where the Python module is installed")
  mark_as_advanced(TESSERA_PYTHON_DIR)
  install(DIRECTORY core/python/tessera DESTINATION "${TESSERA_PYTHON_DIR}" FILES_MATCHING PATTERN "*.py")
  install(TARGETS tessera_c LIBRARY DESTINATION "${TESSERA_PYTHON_DIR}/tessera")
endif()

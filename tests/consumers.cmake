# SPDX-License-Identifier: BSD-3-Clause
# Projects that use Tessera, built and run: those that the pages show, as an installed package and as a subdirectory.

set(prefix "${CMAKE_CURRENT_BINARY_DIR}/prefix")
add_test(NAME package.install COMMAND ${CMAKE_COMMAND} --install "${PROJECT_BINARY_DIR}" --prefix "${prefix}")
set_tests_properties(package.install PROPERTIES LABELS package FIXTURES_SETUP installed)

# tessera_consumer_test(NAME SOURCE_DIR [OPTION...]) configures, builds and runs a project whose program is `my_app`.
# It is told where things stand, and nothing else.
function(tessera_consumer_test name source_dir)
  set(binary_dir "${CMAKE_CURRENT_BINARY_DIR}/${name}")
  add_test(NAME ${name} COMMAND ${CMAKE_CTEST_COMMAND}
    --build-and-test "${source_dir}" "${binary_dir}"
    --build-generator "${CMAKE_GENERATOR}"
    --build-noclean
    --build-options
      "-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}"
      "-DCMAKE_CXX_FLAGS=${CMAKE_CXX_FLAGS}"
      "-DCMAKE_BUILD_TYPE=Debug"
      "-DCMAKE_CXX_FLAGS_DEBUG=-O0"  # nobody debugs it
      "-DCMAKE_PREFIX_PATH=${prefix}"
      "-DKokkos_DIR=${Kokkos_DIR}"
      "-DKokkosKernels_DIR=${KokkosKernels_DIR}"
      ${ARGN}
    --test-command ${mpirun} 2 "${binary_dir}/my_app")
  set_tests_properties(${name} PROPERTIES
    LABELS package
    FIXTURES_REQUIRED installed
    TIMEOUT 1200
    PROCESSORS 2
    ENVIRONMENT "MPIEXEC=${MPIEXEC_EXECUTABLE};OMP_NUM_THREADS=1")
endfunction()

# All of a static Tessera in a shared library, as an application's plugin has it. Kokkos is left out: it may have been
# built for programs alone.
get_target_property(type tessera TYPE)
if(type STREQUAL STATIC_LIBRARY)
  file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/empty.cpp" "")
  add_library(tessera_plugin SHARED "${CMAKE_CURRENT_BINARY_DIR}/empty.cpp")
  add_dependencies(tessera_plugin tessera)
  target_link_libraries(tessera_plugin PRIVATE "$<LINK_LIBRARY:WHOLE_ARCHIVE,$<TARGET_FILE:tessera>>")
endif()

# The same program without CMake.
find_program(TESSERA_PKG_CONFIG pkg-config)
mark_as_advanced(TESSERA_PKG_CONFIG)
if(TESSERA_PKG_CONFIG)
  include(GNUInstallDirs)
  add_test(NAME package.pkg_config COMMAND ${CMAKE_COMMAND}
    "-DPREFIX=${prefix}"
    "-DLIBDIR=${CMAKE_INSTALL_LIBDIR}"
    "-DVERSION=${PROJECT_VERSION}"
    "-DDIRECTORY=${CMAKE_CURRENT_BINARY_DIR}/pkg_config"
    "-DSOURCE=${CMAKE_CURRENT_SOURCE_DIR}/package/main.cpp"
    "-DCOMPILER=${CMAKE_CXX_COMPILER}"
    "-DFLAGS=${CMAKE_CXX_FLAGS}"
    "-DMPIRUN=${PROJECT_SOURCE_DIR}/cmake/mpirun.sh"
    -P "${CMAKE_CURRENT_SOURCE_DIR}/pkg_config.cmake")
  set_tests_properties(package.pkg_config PROPERTIES
    LABELS package
    FIXTURES_REQUIRED installed
    PROCESSORS 2
    ENVIRONMENT "MPIEXEC=${MPIEXEC_EXECUTABLE};OMP_NUM_THREADS=1")
endif()

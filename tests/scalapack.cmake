# SPDX-License-Identifier: BSD-3-Clause
# tessera_scalapack, where there is a ScaLAPACK behind it.

# Before ScaLAPACK, which alone has what the program calls by name.
tessera_test(scalapack_door_test RANKS 1 2 3 4 6 SOURCES failing_heap.cpp
  LIBRARIES -Wl,--no-as-needed tessera_scalapack "${TESSERA_SCALAPACK}" ${CMAKE_DL_LIBS})
if(TARGET scalapack_door_test)
  target_compile_definitions(scalapack_door_test PRIVATE "TESSERA_SCALAPACK_LIBRARY=\"${TESSERA_SCALAPACK}\"")
endif()

# ScaLAPACK's own test programs, as Debian installs them; preloaded, as no sanitizer can be.
if(TESSERA_TEST_PROGRAMS OR CMAKE_CXX_FLAGS MATCHES "-fsanitize" OR MPI_CXX_LIBRARIES MATCHES mpich)
  return()
endif()
find_path(TESSERA_SCALAPACK_TESTS xdllt HINTS "/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/scalapack/openmpi-tests")
mark_as_advanced(TESSERA_SCALAPACK_TESTS)
if(NOT TESSERA_SCALAPACK_TESTS)
  message(STATUS "No test programs of ScaLAPACK's: tessera_scalapack is not tested with them")
  return()
endif()
foreach(what IN ITEMS llt inv)
  string(TOUPPER ${what} input)
  foreach(scalar IN ITEMS s d c z)
    foreach(ranks IN ITEMS 1 2 4)
      if(TESSERA_TEST_RANKS AND NOT ranks IN_LIST TESSERA_TEST_RANKS)
        continue()
      endif()
      set(name scalapack_testers.x${scalar}${what}.np${ranks})
      add_test(NAME ${name} COMMAND ${CMAKE_COMMAND}
        "-DPROGRAM=${TESSERA_SCALAPACK_TESTS}/x${scalar}${what}" "-DINPUT=${TESSERA_SCALAPACK_TESTS}/${input}.dat"
        "-DPRELOAD=$<TARGET_FILE:tessera_scalapack>" "-DMPIRUN=${PROJECT_SOURCE_DIR}/cmake/mpirun.sh" -DRANKS=${ranks}
        "-DDIRECTORY=${CMAKE_CURRENT_BINARY_DIR}/${name}" -P "${CMAKE_CURRENT_SOURCE_DIR}/scalapack_testers.cmake")
      set_tests_properties(${name} PROPERTIES PROCESSORS ${ranks} TIMEOUT 300
        ENVIRONMENT "MPIEXEC=${MPIEXEC_EXECUTABLE};OMP_NUM_THREADS=1")
    endforeach()
  endforeach()
endforeach()

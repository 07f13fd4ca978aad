# SPDX-License-Identifier: BSD-3-Clause
# Tessera as NetKet's solver, where the Python of languages.cmake has NetKet. tests/examples/netket says how to get it.
# Also with several devices in a process.

if(mpi4py_is_ours)
  execute_process(COMMAND "${TESSERA_MPI4PY}" -c "import netket" RESULT_VARIABLE failure OUTPUT_QUIET ERROR_QUIET)
  if(NOT failure)
    foreach(case IN ITEMS np1 np2 np3 devices2.np2)
      string(REGEX MATCH "[0-9]+$" ranks ${case})
      if(TESSERA_TEST_RANKS AND NOT ranks IN_LIST TESSERA_TEST_RANKS)
        continue()
      endif()
      string(REGEX MATCH "^devices[0-9]+" devices ${case})
      string(REGEX REPLACE "^devices" ";XLA_FLAGS=--xla_force_host_platform_device_count=" devices "${devices}")
      add_test(NAME netket.${case}
        COMMAND ${mpirun} ${ranks} "${TESSERA_MPI4PY}" "${CMAKE_CURRENT_SOURCE_DIR}/netket_test.py")
      set_tests_properties(netket.${case} PROPERTIES
        PROCESSORS ${ranks} TIMEOUT 600 ENVIRONMENT "${python_environment}${devices}")
    endforeach()
  endif()
endif()

# SPDX-License-Identifier: BSD-3-Clause
# Tessera from C and from Python.

if(CMAKE_C_COMPILER)
  add_executable(c_test c_test.c c_systems.c c_misuse.c)
  set_target_properties(c_test PROPERTIES C_STANDARD 11 C_EXTENSIONS OFF)
  target_compile_options(c_test PRIVATE -Wpedantic -Werror)
  target_link_libraries(c_test PRIVATE Tessera::tessera)
  foreach(ranks IN ITEMS 1 2 3 4 6)
    if(TESSERA_TEST_RANKS AND NOT ranks IN_LIST TESSERA_TEST_RANKS)
      continue()
    endif()
    tessera_mpi_test(c_test.np${ranks} ${ranks} c_test)
    set_tests_properties(c_test.np${ranks} PROPERTIES LABELS faults)
  endforeach()
else()
  message(STATUS "No C compiler: the C interface is not tested from C")
endif()

# Python's own MPI must be that of the build; and it loads no library that needs the sanitizers' runtime.
set(mpi4py_is_ours OFF)
if(TESSERA_MPI4PY AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  execute_process(COMMAND "${TESSERA_MPI4PY}" -c "import mpi4py; mpi4py.rc.initialize = False
from mpi4py import MPI; print(MPI.Get_library_version())" OUTPUT_VARIABLE mpi_of_python)
  if((mpi_of_python MATCHES "MPICH" AND MPI_CXX_LIBRARIES MATCHES "mpich") OR
     (mpi_of_python MATCHES "Open MPI" AND NOT MPI_CXX_LIBRARIES MATCHES "mpich"))
    set(mpi4py_is_ours ON)
  endif()
endif()
if(TESSERA_MPI4PY AND NOT mpi4py_is_ours AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  message(STATUS "mpi4py of ${TESSERA_MPI4PY} has another MPI: the Python module is not tested")
endif()
if(mpi4py_is_ours)
  set(python_environment
    "MPIEXEC=${MPIEXEC_EXECUTABLE};OMP_NUM_THREADS=1;PYTHONDONTWRITEBYTECODE=1;PYTHONPATH=${PROJECT_SOURCE_DIR}/core/python;TESSERA_LIBRARY=$<TARGET_FILE:tessera_c>")
  set(python_tests python)
  if(Kokkos_ENABLE_CUDA)
    list(APPEND python_tests python_device)
  endif()
  foreach(test IN LISTS python_tests)
    foreach(ranks IN ITEMS 1 2 3 4 6)
      if(TESSERA_TEST_RANKS AND NOT ranks IN_LIST TESSERA_TEST_RANKS)
        continue()
      endif()
      add_test(NAME ${test}.np${ranks}
        COMMAND ${mpirun} ${ranks} "${TESSERA_MPI4PY}" "${CMAKE_CURRENT_SOURCE_DIR}/${test}_test.py")
      set_tests_properties(${test}.np${ranks} PROPERTIES
        LABELS faults PROCESSORS ${ranks} TIMEOUT 300 ENVIRONMENT "${python_environment}")
    endforeach()
  endforeach()
  add_test(NAME python_exit COMMAND "${TESSERA_MPI4PY}" "${CMAKE_CURRENT_SOURCE_DIR}/python_exit_test.py"
    "${PROJECT_SOURCE_DIR}/cmake/mpirun.sh")
  set_tests_properties(python_exit PROPERTIES
    LABELS faults PROCESSORS 2 TIMEOUT 300 ENVIRONMENT "${python_environment}")
endif()

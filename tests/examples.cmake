# SPDX-License-Identifier: BSD-3-Clause
# The examples: projects of their own over the installed package, built and run.

set(warnings "-Wall -Wextra")
if(NOT Kokkos_ENABLE_CUDA)
  string(APPEND warnings " -Wshadow -Wconversion")
endif()
set(examples natural_gradient gaussian_process)

# Tpetra and Belos, if they are there and were built with this Kokkos and this MPI.
include(CheckCXXSourceCompiles)
find_path(TESSERA_TRILINOS_INCLUDE_DIR BelosTpetraAdapter.hpp PATH_SUFFIXES trilinos)
find_library(TESSERA_TEUCHOS_COMM NAMES trilinos_teuchoscomm)
find_library(TESSERA_TEUCHOS_CORE NAMES trilinos_teuchoscore)
mark_as_advanced(TESSERA_TRILINOS_INCLUDE_DIR TESSERA_TEUCHOS_COMM TESSERA_TEUCHOS_CORE)
if(TARGET trilinos_kokkoscore AND TESSERA_TRILINOS_INCLUDE_DIR AND TESSERA_TEUCHOS_COMM AND TESSERA_TEUCHOS_CORE)
  set(CMAKE_REQUIRED_INCLUDES "${TESSERA_TRILINOS_INCLUDE_DIR}")
  set(CMAKE_REQUIRED_LIBRARIES MPI::MPI_CXX "${TESSERA_TEUCHOS_COMM}" "${TESSERA_TEUCHOS_CORE}")
  check_cxx_source_compiles("
    #include <Teuchos_DefaultMpiComm.hpp>
    int main() { return Teuchos::MpiComm<int>(MPI_COMM_WORLD).getRank(); }" TESSERA_TRILINOS_HAS_THIS_MPI)
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_REQUIRED_LIBRARIES)
endif()
if(TESSERA_TRILINOS_HAS_THIS_MPI)
  list(APPEND examples trilinos)
else()
  message(STATUS "The example trilinos is left out: no Tpetra and Belos with this Kokkos and this MPI")
endif()

foreach(example IN LISTS examples)
  set(${example}_dir "${CMAKE_CURRENT_SOURCE_DIR}/examples/${example}")
  set(${example}_binary_dir "${CMAKE_CURRENT_BINARY_DIR}/${example}")
  add_test(NAME ${example}.build COMMAND ${CMAKE_CTEST_COMMAND}
    --build-and-test "${${example}_dir}" "${${example}_binary_dir}"
    --build-generator "${CMAKE_GENERATOR}"
    --build-noclean
    --build-options
      "-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}"
      "-DCMAKE_CXX_FLAGS=${CMAKE_CXX_FLAGS} ${warnings}"
      "-DCMAKE_COMPILE_WARNING_AS_ERROR=${CMAKE_COMPILE_WARNING_AS_ERROR}"
      "-DCMAKE_BUILD_TYPE=Release"
      "-DCMAKE_CXX_FLAGS_RELEASE=-O1"  # half the time that they take to compile
      "-DCMAKE_PREFIX_PATH=${prefix}"
      "-DKokkos_DIR=${Kokkos_DIR}"
      "-DKokkosKernels_DIR=${KokkosKernels_DIR}")
  set_tests_properties(${example}.build PROPERTIES
    LABELS package
    FIXTURES_REQUIRED installed
    FIXTURES_SETUP ${example}
    TIMEOUT 1200)
endforeach()

# example_test(EXAMPLE NAME RANKS ARGUMENT...) runs one.
function(example_test example name ranks)
  if(TESSERA_TEST_RANKS AND NOT ranks IN_LIST TESSERA_TEST_RANKS)
    return()
  endif()
  add_test(NAME ${example}.${name}.np${ranks}
    COMMAND ${mpirun} ${ranks} "${${example}_binary_dir}/${example}" ${ARGN})
  set_tests_properties(${example}.${name}.np${ranks} PROPERTIES
    LABELS package
    FIXTURES_REQUIRED ${example}
    TIMEOUT 300
    PROCESSORS ${ranks}
    ENVIRONMENT "MPIEXEC=${MPIEXEC_EXECUTABLE};OMP_NUM_THREADS=1")
endfunction()

# Much less than the experiment that it repeats (the example's target `reproduce`): what takes seconds.
set(small --sites 10 --samples 16 --steps 60)
foreach(ranks IN ITEMS 1 2 3)
  example_test(natural_gradient netket ${ranks} --check "${natural_gradient_dir}/data/netket.json")
  example_test(natural_gradient real ${ranks} ${small} --verify --bar 60:2e-5:1e-3)
  example_test(natural_gradient complex ${ranks} ${small} --complex --verify --bar 60:2e-5:2e-3)
endforeach()
example_test(natural_gradient qgt 2 ${small} --qgt --bar 60:2e-5:1e-3)
example_test(natural_gradient embedded 2 ${small} --complex --embedded --bar 60:2e-5:2e-3)

# Twice as many samples as parameters and no shift: no step's matrix is positive definite, and each needs a second try.
example_test(natural_gradient ladder 2 ${small} --shift 0 --first-shift 1e-3 --least-retries 60 --bar 60:2e-5:1e-3)

# A step unlike NetKet's is seen.
example_test(natural_gradient misfit 1 --check "${natural_gradient_binary_dir}/misfit.json")
if(TEST natural_gradient.misfit.np1)
  file(READ "${natural_gradient_dir}/data/netket.json" data)
  string(REPLACE "\"field\":1.3," "\"field\":1.3000001," data "${data}")
  file(WRITE "${natural_gradient_binary_dir}/misfit.json" "${data}")
  set_tests_properties(natural_gradient.misfit.np1 PROPERTIES
    PASS_REGULAR_EXPRESSION "NTK, A +[^ ]+  ok.*NTK, b +[^ ]+  DIFFERS.*FAILED")
endif()

# scikit-learn's numbers; and training, from a log-likelihood of -1209 and of -272. n is ragged.
foreach(ranks IN ITEMS 1 2 3)
  example_test(gaussian_process scikit_learn ${ranks} --check "${gaussian_process_dir}/data/scikit_learn.json")
  example_test(gaussian_process synthetic ${ranks} --n 401 --held-out 57 --bar -19.5)
endforeach()
example_test(gaussian_process co2 2 --co2 "${gaussian_process_dir}/data/co2.csv" --every 5 --steps 20 --bar -278
  --points 101 --json "${gaussian_process_binary_dir}/co2.json")

# A number unlike scikit-learn's is seen, and training that does not come far enough.
example_test(gaussian_process misfit 1 --check "${gaussian_process_binary_dir}/misfit.json")
if(TEST gaussian_process.misfit.np1)
  file(READ "${gaussian_process_dir}/data/scikit_learn.json" data)
  string(REGEX REPLACE "\"y\":\\[(-?[0-9]+\\.[0-9][0-9][0-9])[0-9]*" "\"y\":[\\1" data "${data}")
  file(WRITE "${gaussian_process_binary_dir}/misfit.json" "${data}")
  set_tests_properties(gaussian_process.misfit.np1 PROPERTIES
    PASS_REGULAR_EXPRESSION "co2, variance +[^ ]+  ok.*co2, gradient +[^ ]+  DIFFERS.*ard, mean +[^ ]+  DIFFERS.*FAILED")
endif()
example_test(gaussian_process too_short 1 --n 401 --held-out 57 --steps 5 --bar -19.5)
if(TEST gaussian_process.too_short.np1)
  set_tests_properties(gaussian_process.too_short.np1 PROPERTIES PASS_REGULAR_EXPRESSION "FAILED")
endif()

# Matrices in Tpetra's multivectors, on three maps each; and too many iterations are seen.
if(trilinos IN_LIST examples)
  foreach(ranks IN ITEMS 1 2 3)
    example_test(trilinos maps ${ranks})
  endforeach()
  example_test(trilinos too_many 1 101 3)
  if(TEST trilinos.too_many.np1)
    set_tests_properties(trilinos.too_many.np1 PROPERTIES
      PASS_REGULAR_EXPRESSION "round robin +residual [0-9.e-]+, CG [^\n]+FAILED")
  endif()
endif()

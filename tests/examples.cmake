# The example of natural gradients: a project of its own over the installed package, built and run.

set(example "${CMAKE_CURRENT_SOURCE_DIR}/examples/natural_gradient")
set(example_binary_dir "${CMAKE_CURRENT_BINARY_DIR}/natural_gradient")

set(warnings "-Wall -Wextra")
if(NOT Kokkos_ENABLE_CUDA)
  string(APPEND warnings " -Wshadow -Wconversion")
endif()
add_test(NAME natural_gradient.build COMMAND ${CMAKE_CTEST_COMMAND}
  --build-and-test "${example}" "${example_binary_dir}"
  --build-generator "${CMAKE_GENERATOR}"
  --build-noclean
  --build-options
    "-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}"
    "-DCMAKE_CXX_FLAGS=${CMAKE_CXX_FLAGS} ${warnings}"
    "-DCMAKE_COMPILE_WARNING_AS_ERROR=${CMAKE_COMPILE_WARNING_AS_ERROR}"
    "-DCMAKE_BUILD_TYPE=Release"
    "-DCMAKE_PREFIX_PATH=${prefix}"
    "-DKokkos_DIR=${Kokkos_DIR}"
    "-DKokkosKernels_DIR=${KokkosKernels_DIR}")
set_tests_properties(natural_gradient.build PROPERTIES
  LABELS package
  FIXTURES_REQUIRED installed
  FIXTURES_SETUP natural_gradient
  TIMEOUT 1200)

# natural_gradient_test(NAME RANKS ARGUMENT...) runs it.
function(natural_gradient_test name ranks)
  if(TESSERA_TEST_RANKS AND NOT ranks IN_LIST TESSERA_TEST_RANKS)
    return()
  endif()
  add_test(NAME natural_gradient.${name}.np${ranks}
    COMMAND ${mpirun} ${ranks} "${example_binary_dir}/natural_gradient" ${ARGN})
  set_tests_properties(natural_gradient.${name}.np${ranks} PROPERTIES
    LABELS package
    FIXTURES_REQUIRED natural_gradient
    TIMEOUT 300
    PROCESSORS ${ranks}
    ENVIRONMENT "MPIEXEC=${MPIEXEC_EXECUTABLE};OMP_NUM_THREADS=1")
endfunction()

# Much less than the experiment that it repeats (the example's target `reproduce`): what takes seconds.
set(small --sites 10 --samples 16 --steps 60)
foreach(ranks IN ITEMS 1 2 3)
  natural_gradient_test(netket ${ranks} --check "${example}/data/netket.json")
  natural_gradient_test(real ${ranks} ${small} --verify --bar 60:2e-5:1e-3)
  natural_gradient_test(complex ${ranks} ${small} --complex --verify --bar 60:2e-5:2e-3)
endforeach()
natural_gradient_test(qgt 2 ${small} --qgt --bar 60:2e-5:1e-3)
natural_gradient_test(embedded 2 ${small} --complex --embedded --bar 60:2e-5:2e-3)

# Twice as many samples as parameters and no shift: no step's matrix is positive definite, and each needs a second try.
natural_gradient_test(ladder 2 ${small} --shift 0 --first-shift 1e-3 --least-retries 60 --bar 60:2e-5:1e-3)

# A step unlike NetKet's is seen.
natural_gradient_test(misfit 1 --check "${example_binary_dir}/misfit.json")
if(TEST natural_gradient.misfit.np1)
  file(READ "${example}/data/netket.json" data)
  string(REPLACE "\"field\":1.3," "\"field\":1.3000001," data "${data}")
  file(WRITE "${example_binary_dir}/misfit.json" "${data}")
  set_tests_properties(natural_gradient.misfit.np1 PROPERTIES
    PASS_REGULAR_EXPRESSION "NTK, A +[^ ]+  ok.*NTK, b +[^ ]+  DIFFERS.*FAILED")
endif()

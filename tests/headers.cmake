# SPDX-License-Identifier: BSD-3-Clause
# Every public header compiles alone: by the compiler of the build ...
add_test(NAME headers.alone COMMAND ${CMAKE_COMMAND}
  --build "${PROJECT_BINARY_DIR}" --target tessera_verify_interface_header_sets)
set_tests_properties(headers.alone PROPERTIES LABELS package RESOURCE_LOCK build_directory)

# ... and by nvcc where there is one, because a CUDA application's sources go through it: those that it includes, which
# include those of detail. With a CUDA Kokkos the compiler of the build is nvcc already.
find_program(TESSERA_NVCC nvcc)
mark_as_advanced(TESSERA_NVCC)
if(TESSERA_NVCC AND NOT Kokkos_ENABLE_CUDA)
  get_target_property(headers tessera HEADER_SET)
  list(FILTER headers EXCLUDE REGEX "/detail/")
  get_target_property(options tessera COMPILE_DEFINITIONS)
  list(TRANSFORM options PREPEND -D)
  if(Kokkos_ENABLE_OPENMP)
    list(APPEND options -Xcompiler=-fopenmp)
  endif()
  foreach(header IN LISTS headers)
    string(REGEX REPLACE ".*/(core|kernels)/tessera/" "" name "${header}")
    string(REPLACE "/" "." name "nvcc.${name}")
    add_test(NAME ${name} COMMAND_EXPAND_LISTS COMMAND ${TESSERA_NVCC} -x cu -std=c++20 -ccbin ${CMAKE_CXX_COMPILER}
      ${options}
      "-I$<JOIN:$<TARGET_PROPERTY:tessera,INTERFACE_INCLUDE_DIRECTORIES>,;-I>"
      -c "${header}" -o "${CMAKE_CURRENT_BINARY_DIR}/${name}.o")
    set_tests_properties(${name} PROPERTIES
      LABELS package
      SKIP_REGULAR_EXPRESSION "unsupported GNU version;is not defined for option 'std'")  # they don't fit together
  endforeach()
endif()

# SPDX-License-Identifier: BSD-3-Clause
# With an execution space that Tessera does not know no call compiles, and the compiler says what is missing; with one
# that it knows all of them do.
function(tessera_compile_test name)
  add_library(${name} OBJECT EXCLUDE_FROM_ALL no_backend.cpp)
  target_link_libraries(${name} PRIVATE Tessera::tessera)
  target_compile_definitions(${name} PRIVATE ${ARGN})
  add_test(NAME ${name} COMMAND ${CMAKE_COMMAND} --build "${PROJECT_BINARY_DIR}" --target ${name})
  set_tests_properties(${name} PROPERTIES LABELS package RESOURCE_LOCK build_directory)
endfunction()

tessera_compile_test(no_backend.none)
foreach(call IN ITEMS memory_plan fill redistribute add_gram factorize solve cholesky_distributed)
  tessera_compile_test(no_backend.${call} TESSERA_CALL=${call})
  set_tests_properties(no_backend.${call} PROPERTIES
    PASS_REGULAR_EXPRESSION "Tessera has no backend for this execution space")
endforeach()

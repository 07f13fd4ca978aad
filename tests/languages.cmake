# Tessera from C and from Python.

if(CMAKE_C_COMPILER)
  add_executable(c_test c_test.c c_systems.c c_misuse.c)
  set_target_properties(c_test PROPERTIES C_STANDARD 11 C_EXTENSIONS OFF)
  target_compile_options(c_test PRIVATE -Wpedantic -Werror)
  target_link_libraries(c_test PRIVATE Tessera::tessera)
  foreach(ranks IN ITEMS 1 2 3 4 6)
    tessera_mpi_test(c_test.np${ranks} ${ranks} c_test)
    set_tests_properties(c_test.np${ranks} PROPERTIES LABELS faults)
  endforeach()
endif()

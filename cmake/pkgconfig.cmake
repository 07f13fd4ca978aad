# SPDX-License-Identifier: BSD-3-Clause
# tessera.pc, for builds without CMake: what CMake's targets say, as flags. Not by Requires, as neither Kokkos nor every
# MPI has a file for pkg-config: they are those that Tessera was built with. Programs use Kokkos and MPI themselves, and
# so get them without --static, too.

# tessera_collect_flags(NAME TARGET|LIBRARY...) appends the flags of what is named, and of what that is linked with, to
# the lists NAME_FLAGS (of the compiler) and NAME_LIBRARIES (in the order in which archives need each other).
function(tessera_collect_flags name)
  foreach(item IN LISTS ARGN)
    string(REGEX REPLACE "^\\$<LINK_ONLY:(.*)>$" "\\1" item "${item}")
    if(TARGET "${item}")
      get_target_property(type ${item} TYPE)
      foreach(property IN ITEMS INCLUDE_DIRECTORIES COMPILE_OPTIONS LINK_OPTIONS LINK_LIBRARIES)
        get_target_property(${property} ${item} INTERFACE_${property})
        if(NOT ${property})
          set(${property} "")
        endif()
      endforeach()
      list(TRANSFORM INCLUDE_DIRECTORIES PREPEND -I)
      list(APPEND ${name}_FLAGS ${INCLUDE_DIRECTORIES} ${COMPILE_OPTIONS})
      list(APPEND ${name}_LIBRARIES ${LINK_OPTIONS})
      if(NOT type STREQUAL INTERFACE_LIBRARY)
        list(APPEND ${name}_LIBRARIES $<TARGET_LINKER_FILE:${item}>)
      endif()
      tessera_collect_flags(${name} ${LINK_LIBRARIES})
    elseif(item MATCHES "^[/$-]")
      list(APPEND ${name}_LIBRARIES "${item}")
    else()
      list(APPEND ${name}_LIBRARIES "-l${item}")
    endif()
  endforeach()
  set(${name}_FLAGS "${${name}_FLAGS}" PARENT_SCOPE)
  set(${name}_LIBRARIES "${${name}_LIBRARIES}" PARENT_SCOPE)
endfunction()

tessera_collect_flags(interface Kokkos::kokkos MPI::MPI_CXX)
tessera_collect_flags(private Tessera::kokkos_kernels Tessera::blas)
foreach(list IN ITEMS interface_FLAGS interface_LIBRARIES private_LIBRARIES)
  list(REVERSE ${list})  # the last of several stays
  list(REMOVE_DUPLICATES ${list})
  list(REVERSE ${list})
  list(FILTER ${list} EXCLUDE REGEX "^-D")  # Kokkos 3 has one among its libraries
  list(JOIN ${list} " " ${list})
  string(REGEX REPLACE "\\$<(COMPILE|LINK)_LANG(UAGE|_AND_ID):CXX[^>]*>" "1" ${list} "${${list}}")
  string(REGEX REPLACE "\\$<(COMPILE|LINK)_LANG(UAGE|_AND_ID):[^>]*>" "0" ${list} "${${list}}")
  string(REPLACE "SHELL:" "" ${list} "${${list}}")
  string(REGEX REPLACE "\\$<HOST_LINK:(([^<>]|\\$<[A-Z]+>)*)>" "\\1" ${list} "${${list}}")  # MPI's, where there is CUDA
  string(REGEX REPLACE "\\$<DEVICE_LINK:([^<>]|\\$<[A-Z]+>)*>" "" ${list} "${${list}}")
endforeach()

file(RELATIVE_PATH to_prefix "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
configure_file("${CMAKE_CURRENT_LIST_DIR}/tessera.pc.in" tessera.pc.in @ONLY)
set(pkgconfig_file "${CMAKE_CURRENT_BINARY_DIR}/pkgconfig/$<CONFIG>/tessera.pc")
file(GENERATE OUTPUT "${pkgconfig_file}" INPUT "${CMAKE_CURRENT_BINARY_DIR}/tessera.pc.in")
install(FILES "${pkgconfig_file}" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# SPDX-License-Identifier: BSD-3-Clause
# Usage: cmake -DPREFIX=... -DLIBDIR=lib -DVERSION=... -DDIRECTORY=... -DSOURCE=main.cpp -DCOMPILER=... -DFLAGS=...
#   -DMPIRUN=cmake/mpirun.sh -P pkg_config.cmake
#
# A program that is built with pkg-config alone, from an installed tree that has been moved, runs on 2 ranks.
cmake_minimum_required(VERSION 3.24)
file(REMOVE_RECURSE "${DIRECTORY}")
file(COPY "${PREFIX}/" DESTINATION "${DIRECTORY}/moved")
set(ENV{PKG_CONFIG_PATH} "${DIRECTORY}/moved/${LIBDIR}/pkgconfig")

function(pkg_config result)
  execute_process(COMMAND pkg-config ${ARGN} tessera
    OUTPUT_VARIABLE output OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(output UNIX_COMMAND "${output}")
  set(${result} "${output}" PARENT_SCOPE)
endfunction()

pkg_config(version --modversion)
if(NOT version STREQUAL VERSION)
  message(SEND_ERROR "the version is ${version}, not ${VERSION}")
endif()
pkg_config(flags --static --cflags --libs)
if("${flags}" MATCHES "${PREFIX}")
  message(SEND_ERROR "they lead to where it was installed: ${flags}")
endif()

# Shared libraries that are no part of the system are the user's to find.
pkg_config(libdir --variable=libdir)
set(run_paths "-Wl,-rpath,${libdir}")
foreach(flag IN LISTS flags)
  if(flag MATCHES "^(/.*)/[^/]*\\.so")
    list(APPEND run_paths "-Wl,-rpath,${CMAKE_MATCH_1}")
  endif()
endforeach()
separate_arguments(FLAGS UNIX_COMMAND "${FLAGS}")
set(program "${DIRECTORY}/my_app")
execute_process(COMMAND "${COMPILER}" -std=c++20 -O0 ${FLAGS} "${SOURCE}" -o "${program}" ${flags} ${run_paths}
  COMMAND_ERROR_IS_FATAL ANY COMMAND_ECHO STDOUT)
execute_process(COMMAND bash "${MPIRUN}" 2 "${program}" COMMAND_ERROR_IS_FATAL ANY)

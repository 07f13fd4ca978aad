# SPDX-License-Identifier: BSD-3-Clause
# Runs one of ScaLAPACK's own test programs with tessera_scalapack preloaded:
# cmake -DPROGRAM=.../xdllt -DINPUT=.../LLT.dat -DPRELOAD=... -DMPIRUN=cmake/mpirun.sh -DRANKS=... -DDIRECTORY=...
#   -P scalapack_testers.cmake
#
# INPUT is the program's own; what changes in it are the grids, so that none is too large, and that the estimates of
# errors are off, which without Tessera hang at times. Then larger matrices follow. All tests must pass, none be skipped,
# and all routines that Tessera has be Tessera's.

cmake_minimum_required(VERSION 3.24)
file(MAKE_DIRECTORY "${DIRECTORY}")
cmake_path(GET PROGRAM STEM name)
cmake_path(GET INPUT FILENAME input)
set(trace "${DIRECTORY}/trace")

if(RANKS EQUAL 1)
  set(grid_lines "1 grid\n1 values of P\n1 values of Q\n")
elseif(RANKS EQUAL 2)
  set(grid_lines "3 grids\n1 2 1 values of P\n1 1 2 values of Q\n")
else()
  set(grid_lines "4 grids\n1 2 1 4 values of P\n1 2 4 1 values of Q\n")  # not all ranks in the first
endif()

# expect(LINE COUNT): so many lines of the trace say this.
function(expect text count)
  file(STRINGS "${trace}" lines REGEX "${text}")
  list(LENGTH lines found)
  if(NOT found EQUAL count)
    message(SEND_ERROR "${name} on ${RANKS} ranks: ${found} calls, not ${count}: ${text}")
  endif()
endfunction()

# run(TEXT) has the program read TEXT, and sets `passed`.
function(run text)
  string(REGEX REPLACE "\n[0-9]+[^\n]*grids[^\n]*\n[^\n]*values of P\n[^\n]*values of Q\n" "\n${grid_lines}" text "${text}")
  file(WRITE "${DIRECTORY}/${input}" "${text}")
  file(WRITE "${trace}" "")
  execute_process(
    COMMAND bash "${MPIRUN}" ${RANKS} "${CMAKE_COMMAND}" -E env "LD_PRELOAD=${PRELOAD}" "TESSERA_SCALAPACK_TRACE=${trace}"
      "${PROGRAM}"
    WORKING_DIRECTORY "${DIRECTORY}" RESULT_VARIABLE exit_code OUTPUT_VARIABLE output ERROR_VARIABLE errors TIMEOUT 240)
  if(NOT exit_code STREQUAL 0 OR NOT output MATCHES "\n *([0-9]+) tests completed and passed residual checks"
      OR CMAKE_MATCH_1 EQUAL 0)
    message(FATAL_ERROR "${name} on ${RANKS} ranks: exit code ${exit_code}\n${output}\n${errors}")
  endif()
  set(passed ${CMAKE_MATCH_1} PARENT_SCOPE)
  if(NOT output MATCHES "\n *0 tests completed and failed" OR NOT output MATCHES "\n *0 tests skipped")
    message(SEND_ERROR "${name} on ${RANKS} ranks:\n${output}\n${errors}")
  endif()
endfunction()

# replace_numbers(VARIABLE WHAT NUMBERS) changes two lines of an input: how many numbers, and the numbers.
function(replace_numbers variable what numbers)
  string(REGEX MATCHALL "[0-9]+" all "${numbers}")
  list(LENGTH all count)
  string(REGEX REPLACE "\n[0-9]+[^\n]*\n[^\n]*values of ${what}\n" "\n${count} numbers\n${numbers} values of ${what}\n"
    text "${${variable}}")
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

file(READ "${INPUT}" own)
string(REGEX REPLACE "\nT( [^\n]*\n*)$" "\nF\\1" own "${own}")
set(large "${own}")
replace_numbers(large N "150 200")
replace_numbers(large NB "16 32")
string(SUBSTRING ${name} 1 1 scalar)
if(name MATCHES "llt$")
  replace_numbers(large NRHS "1 70")
  replace_numbers(large NBRHS "3 20")
  string(REPLACE "\n'U' " "\n'L' " lower "${large}")
  foreach(text IN ITEMS "${own}" "${large}" "${lower}")
    run("${text}")
    expect("p${scalar}potrs [LU] .*: Tessera$" ${passed})  # each test is a solve
    file(STRINGS "${trace}" factored REGEX "p${scalar}potrf [LU] .*: Tessera$")
    if(NOT factored)
      message(SEND_ERROR "${name} on ${RANKS} ranks: Tessera has factored nothing")
    endif()
    expect("handed on|failed" 0)
  endforeach()
else()
  foreach(text IN ITEMS "${own}" "${large}")
    run("${text}")
    math(EXPR definite "${passed} / 5")  # matrices of one type; two of five are positive definite
    foreach(uplo IN ITEMS U L)
      expect("p${scalar}potrf ${uplo} .*: Tessera$" ${definite})
      expect("p${scalar}potri ${uplo} .*: Tessera$" ${definite})
    endforeach()
    expect("handed on|failed" 0)
  endforeach()
endif()

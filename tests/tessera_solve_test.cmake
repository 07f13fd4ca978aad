# SPDX-License-Identifier: BSD-3-Clause
# Runs tessera-solve:
# cmake -DPROGRAM=... -DMPIRUN=cmake/mpirun.sh -DRANKS=... -DDIRECTORY=... -DVERSION=... -P tessera_solve_test.cmake
#
# Every scalar and every kernel gives a small backward error; whatever is wrong is said, once, and ends all ranks.

cmake_minimum_required(VERSION 3.24)
file(MAKE_DIRECTORY "${DIRECTORY}")
set(json "${DIRECTORY}/report.json")

set(start bash "${MPIRUN}" ${RANKS})
if(RANKS EQUAL 1)  # without a launcher, and Open MPI without a daemon, it starts in a third of the time
  set(start "${CMAKE_COMMAND}" -E env OMPI_MCA_ess_singleton_isolated=1 OMPI_MCA_btl=self)
endif()

# solve(ARGUMENT...) sets `exit_code`, `output` and `errors`.
macro(solve)
  execute_process(COMMAND ${start} "${PROGRAM}" ${ARGN}
    RESULT_VARIABLE exit_code OUTPUT_VARIABLE output ERROR_VARIABLE errors TIMEOUT 120)
endmacro()

function(complain)
  string(JOIN " " arguments ${ARGN})
  message(SEND_ERROR "tessera-solve ${arguments}: exit code ${exit_code}\n${output}\n${errors}")
endfunction()

# expect_accuracy(BOUND ARGUMENT...)
function(expect_accuracy bound)
  file(REMOVE "${json}")
  solve(${ARGN} --json "${json}")
  if(NOT exit_code STREQUAL 0 OR NOT EXISTS "${json}" OR NOT output MATCHES "backward error")
    complain(${ARGN})
    return()
  endif()
  file(READ "${json}" report)
  string(JSON error GET "${report}" backward_error)
  string(JSON ranks GET "${report}" ranks)
  string(JSON likelihood GET "${report}" log_likelihood)
  if(NOT error LESS bound OR NOT error GREATER 0 OR NOT ranks EQUAL RANKS OR likelihood STREQUAL "")
    complain(${ARGN})
  endif()
  if(errors MATCHES "factorize \\[")
    message(SEND_ERROR "a progress bar where no terminal is")
  endif()
endfunction()

# expect_products(ARITHMETIC MODULI COLUMNS): of the last report.
function(expect_products arithmetic moduli columns)
  file(READ "${json}" report)
  string(JSON used GET "${report}" arithmetic)
  string(JSON used_moduli GET "${report}" moduli)
  string(JSON used_columns GET "${report}" integer_columns)
  if(NOT used STREQUAL arithmetic OR NOT used_moduli EQUAL moduli OR NOT used_columns EQUAL columns)
    message(SEND_ERROR "${json}: ${used} with ${used_moduli} moduli in ${used_columns} columns, not ${arithmetic} with ${moduli} in ${columns}")
  endif()
endfunction()

# expect_error(CODE MESSAGE ARGUMENT...): the message is a regular expression.
function(expect_error code message)
  solve(${ARGN})
  string(REGEX MATCHALL "tessera-solve: [^\n]*" lines "${errors}")
  list(LENGTH lines count)
  if(NOT exit_code STREQUAL code OR NOT count EQUAL 1 OR NOT lines MATCHES "${message}" OR output MATCHES "backward error")
    complain(${ARGN})
  endif()
endfunction()
set(failure 1)
set(misuse 2)
set(not_positive_definite 3)
set(not_finite 4)
set(does_not_fit 5)

set(small --n 301 --tile 32)
foreach(kernel matern52 matern32 rbf)
  expect_accuracy(1e-7 ${small} --kernel ${kernel} --scalar float)
  expect_accuracy(1e-16 ${small} --kernel ${kernel} --scalar d)
  expect_accuracy(1e-7 ${small} --kernel ${kernel} --scalar c)
  expect_accuracy(1e-16 ${small} --kernel ${kernel} --scalar complex-double)
endforeach()
expect_accuracy(1e-16 ${small} --rhs 11 --slab 64 --grid ${RANKS} 1 --seed 7 --length-scale 0.5 --noise 1e-3 --arithmetic fastest)
expect_products(native 0 0)  # for so small a matrix
expect_accuracy(1e-7 ${small} --arithmetic integer --moduli 7)
expect_products(integer 7 301)
expect_accuracy(1e-15 --n 1 --grid 1x${RANKS})

# when one rank was where
set(timeline "${DIRECTORY}/timeline.json")
file(REMOVE "${timeline}")
math(EXPR last "${RANKS} - 1")
expect_accuracy(1e-16 ${small} --timeline "${timeline}" --timeline-rank ${last})
file(READ "${timeline}" events)
string(JSON first GET "${events}" events 0 name)
if(NOT first STREQUAL "tessera::factorize" OR NOT events MATCHES "tessera::factorize::panel"
    OR NOT events MATCHES "tessera::solve::diagonal")
  message(SEND_ERROR "${timeline}: begins with ${first}")
endif()

# what ends all ranks
expect_error(${not_positive_definite} "leading minor of order 1 " ${small} --shift -5)
expect_error(${misuse} "grid: 7 x 1" ${small} --grid 7x1)
expect_error(${misuse} "--timeline-rank: expected 0 to .*, got ${RANKS}" ${small} --timeline "${timeline}" --timeline-rank ${RANKS})
expect_error(${failure} "cannot write .*none/t.json" ${small} --timeline "${DIRECTORY}/none/t.json" --timeline-rank ${last})
expect_error(${misuse} "--timeline: expected another file than that of --json" ${small} --json "${json}" --timeline "${DIRECTORY}/./report.json")

solve(--version)  # once, from one rank
if(NOT exit_code STREQUAL 0 OR NOT errors STREQUAL "" OR NOT output STREQUAL "tessera-solve ${VERSION}\n")
  complain(--version)
endif()

# a report of what is not finite
file(REMOVE "${json}")
solve(${small} --scalar float --noise 1e300 --json "${json}")
file(READ "${json}" report)
string(JSON not_finite_number GET "${report}" not_finite)
if(NOT exit_code EQUAL not_finite OR NOT errors MATCHES "tessera-solve: [a-z ]+ is not finite"
    OR NOT output MATCHES "not finite  +[a-z]" OR not_finite_number STREQUAL "")
  complain(--noise 1e300)
endif()

# what every rank finds out, and alike
if(RANKS GREATER 1)
  return()
endif()
expect_error(${failure} "cannot write .*none/report.json" ${small} --json "${DIRECTORY}/none/report.json")

# memory, on a machine that is not there
set(plan "${DIRECTORY}/plan.json")
file(REMOVE "${plan}")
solve(--plan 64 --n 500000 --free 80 --arithmetic integer --json "${plan}")
if(NOT exit_code STREQUAL 0 OR NOT output MATCHES "a grid of 8 x 8" OR NOT output MATCHES "of integers, 13 moduli"
    OR NOT output MATCHES "fits in 80 GiB")
  complain(--plan 64)
endif()
file(READ "${plan}" report)
string(JSON planned LENGTH "${report}" bytes_per_rank)
string(JSON fits GET "${report}" fits)
string(JSON arithmetic GET "${report}" arithmetic)
string(JSON columns GET "${report}" integer_columns)
if(NOT planned EQUAL 64 OR NOT fits OR NOT arithmetic STREQUAL integer OR NOT columns EQUAL 500000)
  message(SEND_ERROR "${plan}: ${planned} ranks, fits: ${fits}")
endif()
solve(--plan 64 --n 500000 --free 30 --arithmetic integer)
if(NOT exit_code STREQUAL 0 OR NOT output MATCHES "13 moduli, of the first [0-9]+ columns")
  complain(--plan 64 --free 30)
endif()
solve(--plan 64 --n 500000 --free 4)
if(NOT exit_code EQUAL does_not_fit OR NOT output MATCHES "does not fit in 4 GiB"
    OR NOT errors MATCHES "^tessera-solve: --plan: does not fit")
  complain(--plan 64 --free 4)
endif()
expect_error(${misuse} "--grid: rows times columns" --plan 64 --grid 8x9)
expect_error(${misuse} "--slab: .*, at least 0, got -4" --plan 2 --slab -4)
foreach(free IN ITEMS nan -1 0 1e999)
  expect_error(${misuse} "--free: expected a number above 0, got ${free}" --plan 2 --free ${free})
endforeach()
expect_error(${misuse} "--free: expected less than 8589934592, got 1e12" --plan 2 --free 1e12)

expect_error(${misuse} "unknown arguments: --color" --color)
expect_error(${misuse} "--scalar: half" --scalar half)
expect_error(${misuse} "--kernel: linear" --kernel linear)
foreach(count IN ITEMS 0 many 1e4 010 9223372036854775808)
  expect_error(${misuse} "--n: expected a whole number, at least 1, got ${count} " --n ${count})
endforeach()
expect_error(${misuse} "--n: more numbers than can be addressed, got 4000000000" --n 4000000000)
expect_error(${misuse} "--rhs: expected a whole number, at least 1, got 1e2" --rhs 1e2)
expect_error(${misuse} "--rhs: more numbers than can be addressed, got 2251799813685248" --rhs 2251799813685248)
expect_error(${failure} "memory" --rhs 35184372088832)
expect_error(${misuse} "--length-scale: .*, got -1" --length-scale -1)
expect_error(${misuse} "--noise: expected a number of 0 or more, got nan" --noise nan)
expect_error(${misuse} "--noise: expected a number of 0 or more, got -5" --noise -5)
expect_error(${misuse} "--shift: expected a finite number, got inf" --shift inf)
expect_error(${misuse} "--grid: .*, got square" --grid square)
expect_error(${misuse} "--arithmetic: decimal" --arithmetic decimal)
foreach(moduli IN ITEMS 16 3 1e1)
  expect_error(${misuse} "--moduli: expected 0 or a whole number, 4 to 15, got ${moduli}" --arithmetic integer --moduli ${moduli})
endforeach()
expect_error(${misuse} "--moduli requires --arithmetic" --moduli 13)
expect_error(${misuse} "--tile: .*, at least 0, got -4" --n 301 --tile -4)
expect_error(${misuse} "--tile: .*, got 1e2" --n 301 --tile 1e2)

solve(--help)
if(NOT exit_code STREQUAL 0 OR NOT errors STREQUAL "" OR NOT output MATCHES "--noise.*Exit codes:")
  complain(--help)
endif()

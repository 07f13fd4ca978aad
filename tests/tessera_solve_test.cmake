# Runs tessera-solve:
# cmake -DPROGRAM=... -DMPIRUN=cmake/mpirun.sh -DRANKS=... -DDIRECTORY=... -P tessera_solve_test.cmake
#
# Every scalar and every kernel gives a small backward error; whatever is wrong is said, once, and ends all ranks.

cmake_minimum_required(VERSION 3.24)
file(MAKE_DIRECTORY "${DIRECTORY}")
set(json "${DIRECTORY}/report.json")

# solve(ARGUMENT...) sets `exit_code`, `output` and `errors`.
macro(solve)
  execute_process(COMMAND bash "${MPIRUN}" ${RANKS} "${PROGRAM}" ${ARGN}
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

# expect_error(MESSAGE ARGUMENT...): the message is a regular expression.
function(expect_error message)
  solve(${ARGN})
  string(REGEX MATCHALL "tessera-solve: [^\n]*" lines "${errors}")
  list(LENGTH lines count)
  if(exit_code STREQUAL 0 OR NOT count EQUAL 1 OR NOT lines MATCHES "${message}" OR output MATCHES "backward error")
    complain(${ARGN})
  endif()
endfunction()

set(small --n 301 --tile 32)
foreach(kernel matern52 matern32 rbf)
  expect_accuracy(1e-7 ${small} --kernel ${kernel} --scalar float)
  expect_accuracy(1e-16 ${small} --kernel ${kernel} --scalar d)
  expect_accuracy(1e-7 ${small} --kernel ${kernel} --scalar c)
  expect_accuracy(1e-16 ${small} --kernel ${kernel} --scalar complex-double)
endforeach()
expect_accuracy(1e-16 ${small} --rhs 11 --slab 64 --grid ${RANKS} 1 --seed 7 --length-scale 0.5 --noise 1e-3)
expect_accuracy(1e-15 --n 1 --grid 1x${RANKS})

expect_error("unknown arguments: --color" --color)
expect_error("--scalar: half" --scalar half)
expect_error("--kernel: linear" --kernel linear)
expect_error("--n: .*, got 0" --n 0)
expect_error("--n: .*, got many" --n many)
expect_error("--length-scale: .*, got -1" --length-scale -1)
expect_error("--noise: expected a finite number" --noise nan)
expect_error("--grid: .*, got square" --grid square)
expect_error("grid: 7 x 1" ${small} --grid 7x1)
expect_error("tile: .*-4" --n 301 --tile -4)
expect_error("leading minor of order 1 " ${small} --noise -1)
expect_error("cannot write .*none/report.json" ${small} --json "${DIRECTORY}/none/report.json")

solve(--help)
string(REGEX MATCHALL "--noise" mentions "${output}")  # once, from one rank
if(NOT exit_code STREQUAL 0 OR NOT mentions STREQUAL "--noise" OR NOT errors STREQUAL "")
  complain(--help)
endif()

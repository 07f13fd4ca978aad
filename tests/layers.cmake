# SPDX-License-Identifier: BSD-3-Clause
# Usage: cmake -DSOURCE=DIRECTORY -P layers.cmake
#
# What core/README.md says of the directories, held by a test: MPI is called in core/exchange alone; nothing in kernels/
# knows of core/; in core/ no phase knows another, and what the phases stand on knows none of them. And each source says
# its licence.
set(wrong "")

# check(PATTERN WHY FILE...) remembers each line of the files that matches.
function(check pattern why)
  foreach(file IN LISTS ARGN)
    file(READ "${SOURCE}/${file}" text)
    string(REGEX REPLACE "[];[]" " " text "${text}")  # which lists of CMake are made of
    string(REPLACE "\n" ";" lines "${text}")
    set(number 0)
    foreach(line IN LISTS lines)
      math(EXPR number "${number} + 1")
      string(REGEX REPLACE "//.*" "" code "${line}")
      if(code MATCHES "${pattern}")
        list(APPEND wrong "${file}:${number}: ${why}: ${line}")
      endif()
    endforeach()
  endforeach()
  set(wrong "${wrong}" PARENT_SCOPE)
endfunction()

file(GLOB_RECURSE everywhere RELATIVE "${SOURCE}" "${SOURCE}/core/*.?pp" "${SOURCE}/kernels/*.?pp")
if(NOT everywhere)
  message(FATAL_ERROR "no sources in ${SOURCE}")
endif()
set(outside_exchange "${everywhere}")
list(FILTER outside_exchange EXCLUDE REGEX "^core/exchange/")
check("[^A-Za-z_]P?MPI_[A-Z][A-Za-z_]*[ ]*\\(" "calls MPI outside core/exchange" ${outside_exchange})

set(kernels "${everywhere}")
list(FILTER kernels INCLUDE REGEX "^kernels/")
check("#include +\"core/" "includes core from kernels" ${kernels})
file(GLOB headers_of_core RELATIVE "${SOURCE}/core" "${SOURCE}/core/tessera/*.hpp" "${SOURCE}/core/tessera/*/*.hpp")
foreach(header IN LISTS headers_of_core)
  string(REPLACE "." "\\." header "${header}")
  check("#include +[\"<]${header}[\">]" "includes core from kernels" ${kernels})
endforeach()

# check_includes(DIRECTORY OTHERS): no file of core/DIRECTORY includes one of core/OTHERS, a regular expression.
function(check_includes directory others)
  set(files "${everywhere}")
  list(FILTER files INCLUDE REGEX "^core/${directory}/")
  if(NOT files)
    message(FATAL_ERROR "no sources in core/${directory}")
  endif()
  check("#include +\"core/(${others})/" "core/${directory} must not know ${others}" ${files})
  set(wrong "${wrong}" PARENT_SCOPE)
endfunction()
check_includes(factorize "solve|assemble|measure")
check_includes(solve "factorize|assemble|measure")
check_includes(assemble "factorize|solve|measure")
check_includes(measure "factorize|solve|assemble")
check_includes(matrix "factorize|solve|assemble|measure|exchange")
check_includes(exchange "factorize|solve|assemble|measure|matrix")

set(patterns "")
foreach(directory IN ITEMS core kernels tests perf cmake)
  foreach(kind IN ITEMS hpp cpp c h py sh cmake)
    list(APPEND patterns "${SOURCE}/${directory}/*.${kind}")
  endforeach()
endforeach()
file(GLOB_RECURSE sources RELATIVE "${SOURCE}" ${patterns})
foreach(source IN LISTS sources)
  file(STRINGS "${SOURCE}/${source}" head LIMIT_COUNT 2)
  if(NOT head MATCHES "SPDX-License-Identifier: BSD-3-Clause")
    list(APPEND wrong "${source}: does not begin with the line SPDX-License-Identifier")
  endif()
endforeach()

if(wrong)
  list(JOIN wrong "\n" wrong)
  message(FATAL_ERROR "${wrong}")
endif()

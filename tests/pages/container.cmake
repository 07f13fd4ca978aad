# SPDX-License-Identifier: BSD-3-Clause
# Usage: cmake -DSOURCE=DIRECTORY -P container.cmake
#
# What the container file runs is what cmake/quickstart.sh runs before it starts the program, and what it copies is there.
cmake_minimum_required(VERSION 3.24)
file(STRINGS "${SOURCE}/cmake/quickstart.sh" steps REGEX "^(bash|cmake) ")
file(STRINGS "${SOURCE}/cmake/Containerfile" lines REGEX "^(RUN|COPY) ")
set(runs "${lines}")
list(FILTER runs INCLUDE REGEX "^RUN ")
list(TRANSFORM runs REPLACE "^RUN " "")
if(NOT steps OR NOT runs STREQUAL steps)
  message(SEND_ERROR "cmake/Containerfile runs\n${runs}\nand cmake/quickstart.sh\n${steps}")
endif()

list(FILTER lines INCLUDE REGEX "^COPY ")
foreach(line IN LISTS lines)
  string(REGEX REPLACE "^COPY (.*) [^ ]+$" "\\1" names "${line}")
  string(REPLACE " " ";" names "${names}")
  foreach(name IN LISTS names)
    if(NOT EXISTS "${SOURCE}/${name}")
      message(SEND_ERROR "cmake/Containerfile copies ${name}, which is not there")
    endif()
  endforeach()
endforeach()

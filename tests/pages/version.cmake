# SPDX-License-Identifier: BSD-3-Clause
# Usage: cmake -DSOURCE=DIRECTORY -DVERSION=VERSION -P version.cmake
#
# The version of project() is that of the citation, the changes and the Spack recipe; the header's is checked by the
# compiler.
cmake_minimum_required(VERSION 3.24)
string(REPLACE "." "\\." version "${VERSION}")

# expect_version(FILE PATTERN): PATTERN ends before the version; the first match that a number follows goes on with it.
function(expect_version file pattern)
  file(READ "${SOURCE}/${file}" text)
  string(REGEX MATCH "\n${pattern}([0-9][^\n]*)" line "\n${text}")
  set(found "${CMAKE_MATCH_1}")
  if(NOT found MATCHES "^${version}(\"|$)")
    message(SEND_ERROR "${file}: the version is ${VERSION}, not '${found}'")
  endif()
endfunction()

expect_version(cmake/CITATION.cff "version: ")
expect_version(cmake/CHANGELOG.md "## ")
expect_version(cmake/spack/spack_repo/tessera/packages/tessera/package.py
  "    version\\(\"main\", branch=\"main\"\\)\n    version\\(\"")

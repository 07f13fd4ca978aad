# SPDX-License-Identifier: BSD-3-Clause
# The target `docs`: the installed headers and the pages, by Doxygen, as HTML in docs/html of the build directory. What
# is public and not documented is an error there.

find_package(Doxygen 1.9 QUIET)
if(NOT DOXYGEN_FOUND)
  message(STATUS "No Doxygen 1.9: no target docs, and pages.docs is not tested")
  return()
endif()

set(DOXYGEN_QUIET YES)
set(DOXYGEN_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/docs")
set(DOXYGEN_USE_MDFILE_AS_MAINPAGE "${CMAKE_CURRENT_SOURCE_DIR}/README.md")  # there are other README.md
set(DOXYGEN_FILTER_PATTERNS "*.md=sed -E -f ${CMAKE_CURRENT_SOURCE_DIR}/cmake/docs.sed")
set(DOXYGEN_IMAGE_PATH perf/results tests/examples)
set(DOXYGEN_FILE_PATTERNS *.h *.hpp *.md)
set(DOXYGEN_EXCLUDE_PATTERNS */detail/*)
set(DOXYGEN_EXCLUDE_SYMBOLS tessera::detail detail::*)
set(DOXYGEN_STRIP_FROM_INC_PATH core kernels)
set(DOXYGEN_DISTRIBUTE_GROUP_DOC YES)
set(DOXYGEN_MACRO_EXPANSION YES)
set(DOXYGEN_EXPAND_ONLY_PREDEF YES)
set(DOXYGEN_PREDEFINED KOKKOS_FUNCTION=)
set(DOXYGEN_TOC_INCLUDE_HEADINGS 2)
set(DOXYGEN_SHOW_INCLUDE_FILES NO)
set(DOXYGEN_HAVE_DOT NO)
set(DOXYGEN_WARN_AS_ERROR FAIL_ON_WARNINGS)
file(GLOB examples CONFIGURE_DEPENDS tests/examples/*/README.md)
doxygen_add_docs(docs
  README.md
  core/tessera
  kernels/tessera
  core/README.md
  perf/README.md
  tests/README.md
  tests/faults.md
  ${examples}
  cmake/CHANGELOG.md
  cmake/CONTRIBUTING.md
  WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
  COMMENT "Documentation in docs/html")

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: test.sh [ARGUMENT of ctest...]
#
# Installs what is missing, builds everything and runs all tests; then, on fewer ranks and for two of the scalars, those
# that reach the most of the library under the sanitizers, where all take several times as long, and those that ask most
# of an MPI with MPICH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash cmake/bootstrap.sh test
cmake -S . -B build/test -G Ninja -DCMAKE_BUILD_TYPE=Release
cmake --build build/test
ctest --test-dir build/test --output-on-failure --parallel "$(nproc)" "$@"

programs="allocation_test;callback_test;communicator_test;distribution_test;entries_test;fuzz_test;kernels_test"
programs+=";line_sums_test;pieces_test;schedule_test;triangular_test"
cmake --preset sanitize -DTESSERA_TEST_RANKS="1;3" -DTESSERA_TEST_TWO_SCALARS=ON -DTESSERA_TEST_PROGRAMS="$programs"
cmake --build --preset sanitize
ctest --preset sanitize --parallel "$(nproc)" "$@"

cmake --preset mpich -DTESSERA_TEST_RANKS="1;2" -DTESSERA_TEST_TWO_SCALARS=ON -DCMAKE_CXX_FLAGS_RELEASE="-O1 -DNDEBUG" \
  -DTESSERA_TEST_PROGRAMS="allocation_test;communicator_test;entries_test;mpi_profile_test;schedule_test"
cmake --build --preset mpich
ctest --preset mpich --parallel "$(nproc)" "$@"

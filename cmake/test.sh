#!/usr/bin/env bash
# Usage: test.sh [ARGUMENT of ctest...]
#
# Installs what is missing, builds everything and runs all tests; then those of the library again under the sanitizers,
# on fewer ranks, because there they take several times as long; then, with MPICH, those that ask most of an MPI.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash cmake/bootstrap.sh test
cmake -S . -B build/test -G Ninja -DCMAKE_BUILD_TYPE=Release
cmake --build build/test
ctest --test-dir build/test --output-on-failure --parallel "$(nproc)" "$@"

cmake --preset sanitize -DTESSERA_TEST_RANKS="1;3"
cmake --build --preset sanitize
ctest --preset sanitize --parallel "$(nproc)" "$@"

cmake --preset mpich -DTESSERA_TEST_RANKS="1;3" -DCMAKE_CXX_FLAGS_RELEASE="-O1 -DNDEBUG" \
  -DTESSERA_TEST_PROGRAMS="communicator_test;fuzz_test;mpi_profile_test;schedule_test"
cmake --build --preset mpich
# MPICH spins while it waits, on cores that other ranks need.
TESSERA_FUZZ_CASES=50 ctest --preset mpich --parallel "$(nproc)" "$@"

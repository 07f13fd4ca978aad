// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

// What fails on purpose.
namespace tessera::testing {

/// The operation number `left`, counted from 1, fails; 0: none does.
struct Failing {
  int left = 0;
  bool failed = false;
  std::string label;  ///< of what has failed, if it has one

  /// Counts one; whether it fails.
  bool now() {
    if (left == 0 || --left > 0) return false;
    return failed = true;
  }
};

/// operator new, in a program that failing_heap.cpp is part of. MPI, and Kokkos's Views on the host, do not call it.
extern Failing heap;

}  // namespace tessera::testing

// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <limits>

namespace tessera::detail {

/// How far a rank's work and messages run ahead. The bits of the result depend on one_launch,
/// most_integer_columns and integer_width alone.
struct Schedule {
  int slots = 0;                     ///< steps in flight; 0: three if partial sums travel, two if only rows of L do
  std::int64_t chunk_rows = 8192;    ///< rows of a partial sum in one message
  std::int64_t chunk_columns = 256;  ///< right-hand sides that are solved together

  /// Integers::columns, where memory suffices for more.
  std::int64_t most_integer_columns = std::numeric_limits<std::int64_t>::max();

  std::int64_t integer_width = 0;  ///< Integers::width, on one rank; 0: that, or none, by what memory there is

  bool one_launch = true;  ///< where one device has all of a small matrix, its kernel does without steps

  constexpr int slots_on(int grid_rows, int grid_cols) const {
    if (grid_rows * grid_cols == 1) return 1;
    return slots > 0 ? slots : grid_cols > 1 ? 3 : 2;
  }
};

}  // namespace tessera::detail

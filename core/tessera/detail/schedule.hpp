#pragma once

#include <cstdint>

namespace tessera::detail {

/// How far the work of a rank and its messages run ahead. The factor does not depend on it.
struct Schedule {
  int slots = 0;                     ///< steps at a time; 0: three where sums travel, two where only rows of L do
  std::int64_t chunk_rows = 8192;    ///< rows of a sum in one message
  std::int64_t chunk_columns = 256;  ///< right-hand sides that are solved for together

  constexpr int slots_on(int grid_rows, int grid_cols) const {
    if (grid_rows * grid_cols == 1) return 1;
    return slots > 0 ? slots : grid_cols > 1 ? 3 : 2;
  }
};

}  // namespace tessera::detail

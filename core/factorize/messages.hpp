// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/exchange/ring_sum.hpp"
#include "tessera/distribution.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace tessera::detail {

/// What moves in the factorisation, as one rank sees it: functions of the layout and the step alone. Row L(k, left)
/// goes down each process column, a diagonal tile down its owner's, and the sum for a block column along its process
/// rows to the owner. Nothing else of L ever moves.
class FactorizeMessages {
 public:
  FactorizeMessages(const BlockCyclic& rows, const BlockCyclic& columns) : rows_(rows), columns_(columns) {}

  /// The other process rows that have rows from tile `top` on: what goes down the process column, goes to them.
  std::vector<int> process_rows_from(GlobalTile top) const {
    std::vector<int> result;
    for (int row = 0; row < rows_.processes; ++row) {
      if (row != rows_.coordinate && rows_.seen_from(row).local_extent_from(top) > 0) result.push_back(row);
    }
    return result;
  }

  /// How many those are: of the tiles from `top` on, the first ones belong to as many process rows.
  std::int64_t count_of_process_rows_from(GlobalTile top) const {
    const std::int64_t all = std::clamp<std::int64_t>(rows_.tiles_end() - top, 0, rows_.processes);
    return all - (rows_.local_extent_from(top) > 0 ? 1 : 0);
  }

  /// Columns of L that a process column has among `left`.
  std::int64_t depth(TileRange left) const { return columns_.local_begin(left.end) - columns_.local_begin(left.begin); }
  /// Numbers in one message of L(t, left), and of L(t,t).
  std::int64_t numbers_of_row(GlobalTile t, TileRange left) const { return depth(left) * rows_.extent(t); }
  std::int64_t numbers_of_diagonal(GlobalTile t) const { return rows_.extent(t) * rows_.extent(t); }

  /// The process columns before and after this one on the way of the sum for block column k; none if the sum does not
  /// pass this rank, or the rank has no rows of k.
  std::optional<Neighbours> sum_neighbours(TileRange k) const {
    if (rows_.local_extent_from(k.begin) == 0) return std::nullopt;
    return ring_neighbours(columns_.coordinate, columns_.owner(k.begin), columns_.processes,
                           [&](int col) { return columns_.seen_from(col).local_begin(k.begin).value > 0; });
  }

  /// Numbers of the sum in this process row, and the messages that they are.
  std::int64_t numbers_of_sum(TileRange k) const { return rows_.local_extent_from(k.begin) * columns_.extent_of(k); }
  std::int64_t chunks_of_sum(TileRange k, std::int64_t chunk_rows) const {
    return (rows_.local_extent_from(k.begin) + chunk_rows - 1) / chunk_rows;
  }

 private:
  BlockCyclic rows_;
  BlockCyclic columns_;
};

}  // namespace tessera::detail

#pragma once

#include "core/exchange/ring_sum.hpp"
#include "core/factorize/step.hpp"
#include "tessera/distribution.hpp"
#include "tessera/memory_plan.hpp"

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

  std::int64_t chunks_of_sum(TileRange k, std::int64_t chunk_rows) const {
    return (rows_.local_extent_from(k.begin) + chunk_rows - 1) / chunk_rows;
  }

 private:
  BlockCyclic rows_;
  BlockCyclic columns_;
};

/// The verbs of a step, which count what this rank sends.
template <class T>
class CountedMessages {
 public:
  CountedMessages(const SlabLayout& layout, const Step& step, std::int64_t chunk_rows, RankTraffic& sent)
      : rows_(layout.rows),
        columns_(layout.columns),
        messages_(layout.rows, layout.columns),
        step_(step),
        chunk_rows_(chunk_rows),
        sent_(sent) {}

  TileRange newest() const { return newest_column(step_, columns_); }

  void subtract_ahead(TileRange left) { subtract(step_.k, left); }

  void subtract(TileRange k, TileRange left) {
    for (GlobalTile t = k.begin; t < k.end; ++t) {
      const std::int64_t numbers = messages_.numbers_of_row(t, left);
      if (rows_.is_mine(t) && numbers > 0) send_down(k.begin, numbers);
    }
  }

  void pass_sum() {
    const auto beside = messages_.sum_neighbours(step_.k);
    if (!beside || beside->next < 0) return;
    count(messages_.chunks_of_sum(step_.k, chunk_rows_),
          rows_.local_extent_from(step_.k.begin) * columns_.extent_of(step_.k));
  }

  int factor_diagonal(GlobalTile t) {
    if (columns_.is_mine(t) && rows_.is_mine(t)) send_down(t + 1, messages_.numbers_of_diagonal(t));
    return 0;
  }
  void divide_below(GlobalTile, int) {}

 private:
  void send_down(GlobalTile top, std::int64_t numbers) {
    const auto receivers = static_cast<std::int64_t>(messages_.process_rows_from(top).size());
    count(receivers, receivers * numbers);
  }
  void count(std::int64_t messages, std::int64_t numbers) {
    sent_.messages += messages;
    sent_.bytes += numbers * std::int64_t{sizeof(T)};
  }

  BlockCyclic rows_;
  BlockCyclic columns_;
  FactorizeMessages messages_;
  Step step_;
  std::int64_t chunk_rows_;
  RankTraffic& sent_;
};

}  // namespace tessera::detail

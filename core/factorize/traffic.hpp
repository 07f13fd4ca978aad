// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/factorize/messages.hpp"
#include "core/factorize/step.hpp"
#include "tessera/distribution.hpp"
#include "tessera/memory_plan.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

// What the ranks of a grid send in a factorisation. A rank on its own would take a look at all steps; all ranks
// together take little more, as what goes down a process column comes from one rank of it, and what goes along a
// process row is the same for all ranks that pass it on.
namespace tessera::detail {

inline RankTraffic& operator+=(RankTraffic& sum, const RankTraffic& more) {
  sum.messages += more.messages;
  sum.bytes += more.bytes;
  return sum;
}

/// The verbs of a step, which count what goes down a process column, that of `columns`: from the owners of the tiles.
template <class T>
class CountedMessages {
 public:
  /// `sent`: by the first rank of each process row.
  CountedMessages(const BlockCyclic& rows, const BlockCyclic& columns, const Step& step, RankTraffic* sent)
      : rows_(rows), columns_(columns), messages_(rows, columns), step_(step), sent_(sent) {}

  TileRange newest() const { return newest_column(step_, columns_); }

  void subtract_ahead(TileRange left) { subtract(step_.k, left); }

  void subtract(TileRange k, TileRange left) {
    if (messages_.depth(left) == 0) return;
    for (GlobalTile t = k.begin; t < k.end; ++t) send_down(t, k.begin, messages_.numbers_of_row(t, left));
  }

  void pass_sum() {}  // goes along the process row, see passed_on

  int factor_diagonal(GlobalTile t) {
    if (columns_.is_mine(t)) send_down(t, t + 1, messages_.numbers_of_diagonal(t));
    return 0;
  }
  void divide_below(GlobalTile, int) {}

 private:
  void send_down(GlobalTile t, GlobalTile top, std::int64_t numbers) {
    const int row = rows_.owner(t);
    const std::int64_t receivers = FactorizeMessages(rows_.seen_from(row), columns_).count_of_process_rows_from(top);
    sent_[std::int64_t{row} * columns_.processes] +=
        {receivers, receivers * numbers * static_cast<std::int64_t>(sizeof(T))};
  }

  BlockCyclic rows_;
  BlockCyclic columns_;
  FactorizeMessages messages_;
  Step step_;
  RankTraffic* sent_;
};

/// Adds the sums that the ranks of one process row pass on, `sent` by each. All that have columns to the left pass on
/// the sum for a block column, but its owner.
template <class T>
void count_sums(const FactorizeMessages& messages, const BlockCyclic& columns, const std::vector<TileRange>& steps,
                std::int64_t chunk_rows, RankTraffic* sent) {
  const std::size_t count = steps.size();  // of tiles: between process columns a step is one
  const auto stride = static_cast<std::size_t>(columns.processes);
  std::vector<RankTraffic> passed(count);
  RankTraffic all;  // from step i on, by a rank that owns none of their block columns
  std::vector<RankTraffic> all_from(count + 1);
  for (std::size_t i = count; i-- > 0;) {
    passed[i] = {messages.chunks_of_sum(steps[i], chunk_rows),
                 messages.numbers_of_sum(steps[i]) * static_cast<std::int64_t>(sizeof(T))};
    all += passed[i];
    all_from[i] = all;
  }
  for (std::size_t column = 0; column < stride && column + 1 < count; ++column) {
    RankTraffic mine = all_from[column + 1];
    for (std::size_t i = column + stride; i < count; i += stride) {
      mine.messages -= passed[i].messages;
      mine.bytes -= passed[i].bytes;
    }
    sent[column] += mine;
  }
}

/// By rank of this grid. `layout` is that of any rank, `moduli` those of integer products.
template <class T, class MemorySpace>
std::vector<RankTraffic> traffic_of_ranks(const GridNumbering& grid, const SlabLayout& layout, int moduli,
                                          std::int64_t chunk_rows) {
  const int process_rows = layout.rows.processes;
  const int process_columns = layout.columns.processes;
  std::vector<RankTraffic> sent(static_cast<std::size_t>(process_rows) * static_cast<std::size_t>(process_columns));
  const std::vector<TileRange> steps = steps_of<MemorySpace>(layout, moduli).all();
  for (int column = 0; process_rows > 1 && column < process_columns; ++column) {
    TileRange previous;
    for (const TileRange k : steps) {
      const Step step{k, std::exchange(previous, k)};
      CountedMessages<T> counted(layout.rows, layout.columns.seen_from(column), step, sent.data() + column);
      describe(step, counted);
    }
  }
  for (int row = 0; process_columns > 1 && row < process_rows; ++row) {
    count_sums<T>(FactorizeMessages(layout.rows.seen_from(row), layout.columns), layout.columns, steps, chunk_rows,
                  sent.data() + std::ptrdiff_t{row} * process_columns);
  }
  std::vector<RankTraffic> of_ranks(sent.size());
  for (std::size_t rank = 0; rank < sent.size(); ++rank) {
    const auto [row, column] = std::pair{grid.row_of(static_cast<int>(rank)), grid.col_of(static_cast<int>(rank))};
    of_ranks[rank] = sent[static_cast<std::size_t>(row) * static_cast<std::size_t>(process_columns) +
                          static_cast<std::size_t>(column)];
  }
  return of_ranks;
}

}  // namespace tessera::detail

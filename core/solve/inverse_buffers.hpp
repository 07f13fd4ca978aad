// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/exchange/rank_sum.hpp"
#include "core/matrix/leaves.hpp"
#include "core/matrix/workspace.hpp"
#include "core/solve/buffers.hpp"
#include "core/solve/inverse_in_place.hpp"
#include "core/tuning.hpp"
#include "tessera/detail/schedule.hpp"
#include "tessera/distribution.hpp"
#include "tessera/scalar.hpp"

#include <algorithm>
#include <cstdint>

namespace tessera::detail {

/// The memory of inverse_diagonal, and of invert on several ranks: a solve's, for a chunk of unit vectors in each slot,
/// and sums.
template <class T, class Exec>
struct InverseBuffers {
  using MemorySpace = typename Exec::memory_space;

  InverseBuffers(Workspace<MemorySpace>& workspace, const SlabLayout& layout, const Schedule& schedule)
      : columns(schedule.slots_on(layout.rows.processes, layout.columns.processes) * chunk_columns(layout)),
        sweeps(workspace, layout, columns, {.slots = schedule.slots, .chunk_columns = chunk_columns(layout)},
               std::nullopt, false) {
    const std::int64_t n = layout.rows.n;
    const int ranks = layout.rows.processes * layout.columns.processes;
    const bool is_needed = layout.rows.processes == 1 || layout.columns.processes == 1;
    T* const numbers = is_needed ? workspace.template take<T>(leading_dimension_of_b<T>(n), columns) : nullptr;
    whole = right_hand_sides_at<MemorySpace>(numbers, n, columns);
    sums = workspace.template take<double>(n);
    room = workspace.template take<double>(ranks, share_of_sums(n, ranks));
    diagonal = workspace.template take<RealOf<T>>(n);
  }

  static std::int64_t chunk_columns(const SlabLayout& layout) {
    const int ranks = layout.rows.processes * layout.columns.processes;
    return std::min(layout.rows.n,
                    std::max(Leaves<MemorySpace>(layout).width(), Tuning<MemorySpace>::inverse_columns(ranks)));
  }

  std::int64_t columns;  // of all slots
  SolveBuffers<T, Exec> sweeps;
  MatrixView<T, MemorySpace> whole;  // where one process row has all columns, or one process column all rows
  double* sums;
  double* room;  // for those of other ranks
  RealOf<T>* diagonal;
};

/// The bytes that inverse_diagonal or invert works with beside the factor, whichever takes more.
template <class T, class Exec>
std::int64_t inverse_bytes(const SlabLayout& layout, const Schedule& schedule) {
  using MemorySpace = typename Exec::memory_space;
  const std::int64_t by_solves = bytes_of<InverseBuffers<T, Exec>, MemorySpace>(layout, schedule);
  if (layout.rows.processes * layout.columns.processes > 1) return by_solves;
  return std::max(by_solves, bytes_of<InPlaceBuffers<T, Exec>, MemorySpace>(layout));
}

}  // namespace tessera::detail

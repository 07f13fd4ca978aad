// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/matrix/leaves.hpp"
#include "core/matrix/workspace.hpp"
#include "core/solve/one_device.hpp"
#include "core/tuning.hpp"
#include "kernels/queue.hpp"
#include "tessera/detail/schedule.hpp"
#include "tessera/distribution.hpp"
#include "tessera/matrix_view.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace tessera::detail {

/// By rows: which ones go where, rank after rank.
struct RowLists {
  std::int64_t* held = nullptr;              ///< the rows of b that this rank holds, to their owners
  std::int64_t* owned_at_rows = nullptr;     ///< those whose leaves it owns, from their holders: its local rows
  std::int64_t* owned_at_columns = nullptr;  ///< and its local columns
};

/// The leading dimension of right-hand sides: columns begin with a sector of a device's memory, as there cuBLAS is
/// fastest (an odd one costs a quarter of the time in double on an H200).
template <class T>
constexpr std::int64_t leading_dimension_of_b(std::int64_t rows) {
  return saturated_round_up(rows, 32 / std::int64_t{sizeof(T)});
}
template <class T>
constexpr std::int64_t right_hand_sides_bytes(std::int64_t rows, std::int64_t nrhs) {
  return saturated_product(saturated_product(leading_dimension_of_b<T>(rows), nrhs), sizeof(T));
}
template <class MemorySpace, class T>
MatrixView<T, MemorySpace> right_hand_sides_at(T* data, std::int64_t rows, std::int64_t nrhs) {
  return make_matrix_view<MemorySpace>(data, rows, nrhs, std::max<std::int64_t>(1, leading_dimension_of_b<T>(rows)));
}

/// The memory of a solve beside the factor and the right-hand sides.
template <class T, class Exec>
struct SolveBuffers {
  using MemorySpace = typename Exec::memory_space;

  /// What travels for some right-hand sides: a leaf's sum or solution, of two leaves at a time.
  struct OfSlot {
    T* sent[2] = {};      // solutions
    T* received[2] = {};  // sums and solutions; a sum goes on from there
    T* others = nullptr;  // x at the rows of another process row
    T* held = nullptr;    // by rows: those of b that this rank holds, on their way
  };

  /// `held`: by rows, those of b that this rank holds; `replicated`: whether solutions come to all ranks.
  SolveBuffers(Workspace<MemorySpace>& workspace, const SlabLayout& layout, std::int64_t nrhs, const Schedule& schedule,
               std::optional<std::int64_t> held = std::nullopt, bool replicated = true)
      : chunk(columns_in_chunk(replicated ? layout.rows.processes * layout.columns.processes : 1, nrhs, schedule)),
        chunks(nrhs / chunk + (nrhs % chunk > 0 ? 1 : 0)) {
    const int most = schedule.slots_on(layout.rows.processes, layout.columns.processes);
    slots.resize(static_cast<std::size_t>(std::min<std::int64_t>(most, chunks)));
    blas = workspace.template take<char>(kernels::Queue<Exec>::workspace_bytes);
    if constexpr (!kernels::is_host<Exec>) {
      substitution = workspace.template take<char>(
          kernels::Substitution<Exec>::template workspace_bytes<T>(Leaves<MemorySpace>(layout).width(), 1, chunk));
    }
    if (layout.rows.processes * layout.columns.processes == 1 && !held) return;
    const std::int64_t in_flight = std::min(nrhs, static_cast<std::int64_t>(slots.size()) * chunk);
    if (layout.rows.processes > 1 || held) {
      rows = workspace.template take_for_messages<T>(leading_dimension_of_b<T>(layout.rows.local_extent()), in_flight);
    }
    if (layout.columns.processes > 1 || held) {
      columns =
          workspace.template take_for_messages<T>(leading_dimension_of_b<T>(layout.columns.local_extent()), in_flight);
    }
    if (held) {
      const std::int64_t most_owned = std::min(layout.rows.local_extent(), layout.columns.local_extent());
      of_rows.held = workspace.template take<std::int64_t>(*held);
      of_rows.owned_at_rows = workspace.template take<std::int64_t>(most_owned);
      of_rows.owned_at_columns = workspace.template take<std::int64_t>(most_owned);
    }
    for (OfSlot& slot : slots) {
      for (T*& buffer : slot.sent) buffer = workspace.template take_for_messages<T>(layout.rows.tile, chunk);
      for (T*& buffer : slot.received) buffer = workspace.template take_for_messages<T>(layout.rows.tile, chunk);
      if (held) {
        slot.held = workspace.template take_for_messages<T>(*held, chunk);
      } else if (replicated && layout.rows.processes > 1) {
        slot.others = workspace.template take_for_messages<T>(leading_dimension_of_b<T>(most_rows(layout)), chunk);
      }
    }
  }

  /// As many in each chunk, but in the last; where there are other ranks to wait for, one chunk works meanwhile for the
  /// other.
  static std::int64_t columns_in_chunk(int ranks, std::int64_t nrhs, const Schedule& schedule) {
    const std::int64_t most = std::max<std::int64_t>(1, schedule.chunk_columns);
    const std::int64_t least = ranks > 1 ? std::min<std::int64_t>(2, nrhs / Tuning<MemorySpace>::least_chunk) : 1;
    const std::int64_t count = std::max({std::int64_t{1}, least, nrhs / most + (nrhs % most > 0 ? 1 : 0)});
    return std::max<std::int64_t>(1, nrhs / count + (nrhs % count > 0 ? 1 : 0));
  }

  static std::int64_t most_rows(const SlabLayout& layout) { return layout.rows.seen_from(0).local_extent(); }

  std::int64_t chunk;   // right-hand sides that are solved for together
  std::int64_t chunks;  // of them
  std::vector<OfSlot> slots;
  RowLists of_rows;
  char* blas;
  char* substitution = nullptr;  // what Substitution works with
  T* rows = nullptr;             // of the slots; null, where a rank has all rows of b, and works on them there
  T* columns = nullptr;          // the same of columns
};

/// The bytes that a solve works with beside the factor and the right-hand sides; arguments as SolveBuffers has them.
template <class T, class Exec>
std::int64_t solve_bytes(const SlabLayout& layout, std::int64_t nrhs, const Schedule& schedule,
                         std::optional<std::int64_t> held = std::nullopt) {
  if constexpr (!kernels::is_host<Exec>) {
    using OneDevice = SolveOnOneDevice<T, Exec>;
    if (!held && OneDevice::suits(layout, nrhs)) return bytes_of<OneDevice, typename Exec::memory_space>(layout, nrhs);
  }
  return bytes_of<SolveBuffers<T, Exec>, typename Exec::memory_space>(layout, nrhs, schedule, held);
}

}  // namespace tessera::detail

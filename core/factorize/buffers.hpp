// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/factorize/above_diagonal.hpp"
#include "core/factorize/one_launch.hpp"
#include "core/factorize/residue_buffers.hpp"
#include "core/factorize/step.hpp"
#include "core/matrix/workspace.hpp"
#include "core/tuning.hpp"
#include "kernels/queue.hpp"
#include "tessera/detail/integers.hpp"
#include "tessera/detail/memory.hpp"
#include "tessera/detail/schedule.hpp"
#include "tessera/distribution.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace tessera::detail {

/// The memory of the factorisation, if it goes by steps, beside the matrix and the inverses.
template <class T, class Exec>
struct FactorizeBuffers {
  using MemorySpace = typename Exec::memory_space;

  /// What one step works with.
  struct OfSlot {
    T* row = nullptr;       // L(k,0:k)^H at this rank's columns
    T* diagonal = nullptr;  // L(t,t) for each tile t of the step, for others
    T* sum = nullptr;       // this rank's share of a block column that another one owns
    T* chunks[2] = {};      // of the sum, on their way
  };

  FactorizeBuffers(Workspace<MemorySpace>& workspace, const SlabLayout& layout, const Integers& integers,
                   const Schedule& schedule)
      : slots(static_cast<std::size_t>(schedule.slots_on(layout.rows.processes, layout.columns.processes))) {
    const std::int64_t tile = layout.rows.tile;
    const std::int64_t height = layout.rows.local_extent();
    const std::int64_t width = steps_of<MemorySpace>(layout, integers.moduli).width();
    failing = workspace.template take<std::int64_t>(1);
    const auto blas_workspace = [&] { return workspace.template take<char>(kernels::Queue<Exec>::workspace_bytes); };
    blas.updates = blas_workspace();
    const bool halves =
        !kernels::is_host<Exec> && integers.moduli == 0 && height >= Tuning<MemorySpace>::rows_in_halves;
    if (!kernels::is_host<Exec>) blas.panels = blas_workspace();
    if (halves) blas.lower_updates = blas_workspace();
    if (integers.moduli > 0) {
      residues.emplace(workspace, layout, integers, static_cast<int>(slots.size()));
      workspace.keep_messages_apart();
    }
    diagonal_values = workspace.template take<double>(layout.rows.n);
    above_diagonal = workspace.template take<T>(AboveDiagonal<T, Exec>::size(layout, integers.moduli));
    for (OfSlot& slot : slots) {
      if (layout.rows.processes > 1) {
        slot.row = workspace.template take_for_messages<T>(layout.columns.local_extent(), width);
        slot.diagonal = workspace.template take_for_messages<T>(width, tile);
      }
      if (layout.columns.processes > 1) {
        slot.sum = workspace.template take_for_messages<T>(height, tile);
        const std::int64_t chunk = std::min(schedule.chunk_rows, height);
        slot.chunks[0] = workspace.template take_for_messages<T>(chunk, tile);
        if (height > schedule.chunk_rows) slot.chunks[1] = workspace.template take_for_messages<T>(chunk, tile);
      }
    }
  }

  std::int64_t* failing;
  OfQueues<char*> blas;     // workspaces
  double* diagonal_values;  // of log_determinant, which comes after all else, and before all else of integer products
  T* above_diagonal;        // what AboveDiagonal keeps
  std::vector<OfSlot> slots;
  std::optional<ResidueBuffers<T, Exec>> residues;
};

/// The bytes that a factorisation works with beside the matrix and the inverses.
template <class T, class Exec>
std::int64_t factorize_bytes(const SlabLayout& layout, const Integers& integers, const Schedule& schedule) {
  if constexpr (!kernels::is_host<Exec>) {
    using OneLaunch = FactorizeInOneLaunch<T, Exec>;
    if (OneLaunch::suits(layout, integers.moduli, schedule)) {
      return is_here(layout) ? bytes_of<OneLaunch, typename Exec::memory_space>(layout) : 0;
    }
  }
  return bytes_of<FactorizeBuffers<T, Exec>, typename Exec::memory_space>(layout, integers, schedule);
}

}  // namespace tessera::detail

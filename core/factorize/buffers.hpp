#pragma once

#include "core/matrix/workspace.hpp"
#include "core/tuning.hpp"
#include "kernels/blas.hpp"
#include "tessera/detail/memory.hpp"
#include "tessera/detail/schedule.hpp"
#include "tessera/distribution.hpp"
#include "tessera/matrix_view.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tessera::detail {

/// The block columns in which A is updated, one for each step: several narrow tiles together where one process column
/// has them all, but none across slabs.
template <class MemorySpace>
class Steps {
 public:
  explicit Steps(const SlabLayout& layout)
      : layout_(layout), tiles_(tiles_per_step(layout)), slab_tiles_((layout.slab + tile() - 1) / tile()) {}

  std::vector<TileRange> all() const {
    std::vector<TileRange> result;
    for (GlobalTile k{0}; k < layout_.columns.tiles_end();) {
      GlobalTile end = std::min(k + tiles_, layout_.columns.tiles_end());
      if (tiles_ > 1) end = std::min(end, GlobalTile{(k.value / slab_tiles_ + 1) * slab_tiles_});
      result.push_back({k, end});
      k = end;
    }
    return result;
  }

  std::int64_t width() const { return tiles_ * tile(); }

 private:
  std::int64_t tile() const { return layout_.columns.tile; }

  static std::int64_t tiles_per_step(const SlabLayout& layout) {
    constexpr std::int64_t most = Tuning<MemorySpace>::update_width;
    if (layout.columns.processes > 1) return 1;
    const std::int64_t ranks = layout.rows.processes;
    // The rows of L that a step brings in are kept in slots: a small part of the matrix.
    const std::int64_t width = ranks == 1 ? most : std::clamp(layout.rows.n / (16 * ranks), most / 2, most);
    return std::max<std::int64_t>(1, width / layout.columns.tile);
  }

  SlabLayout layout_;
  std::int64_t tiles_;
  std::int64_t slab_tiles_;
};

/// The memory of the factorisation beside the matrix and the inverses.
template <class T, class Exec>
struct FactorizeBuffers {
  using MemorySpace = typename Exec::memory_space;

  /// What one step works with, until all that it sends has left and the device is done.
  struct Slot {
    T* row = nullptr;       // L(k,0:k)^H at this rank's columns
    T* diagonal = nullptr;  // L(t,t) for each tile t of the step, for others
    T* sum = nullptr;       // this rank's share of a block column that another one owns
    T* chunks[2] = {};      // of the sum, on their way
  };

  FactorizeBuffers(Workspace<MemorySpace>& workspace, const SlabLayout& layout, const Schedule& schedule)
      : slots(static_cast<std::size_t>(schedule.slots_on(layout.rows.processes, layout.columns.processes))) {
    const std::int64_t tile = layout.rows.tile;
    const std::int64_t height = layout.rows.local_extent();
    const std::int64_t width = Steps<MemorySpace>(layout).width();
    failing = workspace.template take<std::int64_t>(1);
    const auto blas = [&] { return workspace.template take<char>(kernels::Queue<Exec>::workspace_bytes); };
    blas_of_queues.updates = blas();
    if constexpr (!kernels::is_host<Exec>) {
      blas_of_queues.panels = blas();
      if (height >= Tuning<MemorySpace>::rows_in_halves) blas_of_queues.lower_updates = blas();
    }
    diagonal_values = workspace.template take<double>(layout.rows.n);
    for (Slot& slot : slots) {
      if (layout.rows.processes > 1) {
        slot.row = workspace.template take<T>(layout.columns.local_extent() * width);
        slot.diagonal = workspace.template take<T>(width * tile);
      }
      if (layout.columns.processes > 1) {
        slot.sum = workspace.template take<T>(height * tile);
        const std::int64_t chunk = std::min(schedule.chunk_rows, height) * tile;
        slot.chunks[0] = workspace.template take<T>(chunk);
        if (height > schedule.chunk_rows) slot.chunks[1] = workspace.template take<T>(chunk);
      }
    }
  }

  std::int64_t* failing;
  OfQueues<char*> blas_of_queues;
  double* diagonal_values;  // of log_determinant, which comes after all else
  std::vector<Slot> slots;
};

}  // namespace tessera::detail

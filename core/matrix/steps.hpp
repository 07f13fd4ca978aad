// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/tuning.hpp"
#include "tessera/distribution.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tessera::detail {

/// How the columns of A are cut into steps: the block columns in which it is updated and factored. A step is a tile, or
/// several narrow ones where one process column has them all, but none across slabs.
template <class MemorySpace>
class Steps {
 public:
  /// `most`: columns of a step, unless a tile has more.
  explicit Steps(const SlabLayout& layout, std::int64_t most = Tuning<MemorySpace>::update_width)
      : layout_(layout), tiles_(tiles_per_step(layout, most)), slab_tiles_((layout.slab + tile() - 1) / tile()) {}

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

  std::int64_t width() const { return tiles_ * tile(); }  ///< no step has more columns

 private:
  std::int64_t tile() const { return layout_.columns.tile; }

  static std::int64_t tiles_per_step(const SlabLayout& layout, std::int64_t most) {
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

}  // namespace tessera::detail

#pragma once

#include "core/leaves.hpp"
#include "kernels/invert.hpp"
#include "tessera/sharded_matrix.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tessera::detail {

/// What a solve by Substitution works with, made as L grows.
template <class T, class Exec>
class LeafInverses {
 public:
  using MemorySpace = typename Exec::memory_space;

  LeafInverses(const SlabLayout& layout, T* inverses)
      : rows_(layout.rows), columns_(layout.columns), leaves_(layout), inverses_(inverses) {}

  /// Those of the leaves in these tiles, of which this rank's process column has the columns.
  void make(const Exec& exec, const ShardedMatrix<T, MemorySpace>& l, TileRange tiles) const {
    const std::vector<TileRange>& all = leaves_.all();
    auto leaf = std::lower_bound(all.begin(), all.end(), tiles.begin,
                                 [](const TileRange& one, GlobalTile tile) { return one.begin < tile; });
    for (; leaf != all.end() && leaf->begin < tiles.end; ++leaf) {
      if (!rows_.is_mine(leaf->begin)) continue;
      const auto block = l.view(rows_.local_begin(leaf->begin), rows_.local_begin(leaf->end),
                                columns_.local_begin(leaf->begin), columns_.local_begin(leaf->end));
      kernels::invert_blocks<T>(exec, block, leaves_.inverses(inverses_, leaf - all.begin()));
    }
  }

 private:
  BlockCyclic rows_;
  BlockCyclic columns_;
  Leaves<MemorySpace> leaves_;
  T* inverses_;
};

}  // namespace tessera::detail

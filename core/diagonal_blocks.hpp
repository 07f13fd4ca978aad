#pragma once

#include "core/factorize_memory.hpp"
#include "core/leaves.hpp"
#include "kernels/invert.hpp"
#include "kernels/potrf.hpp"
#include "tessera/sharded_matrix.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tessera::detail {

/// What the factorisation keeps beside the diagonal tiles of L, and how these travel.
template <class T, class Exec>
class DiagonalBlocks {
 public:
  using MemorySpace = typename Exec::memory_space;
  using View = MatrixView<T, MemorySpace>;

  DiagonalBlocks(const SlabLayout& layout, const FactorizeBuffers<T, Exec>& buffers, T* leaf_inverses)
      : rows_(layout.rows), columns_(layout.columns), buffers_(buffers), leaves_(layout), inverses_(leaf_inverses) {}

  /// The inverses of the diagonal blocks of these tiles of step k, as potrf leaves them.
  View inverses(TileRange k, std::int64_t step_number, TileRange tiles) const {
    T* const first = buffers_.inverses[step_number % 2] + (rows_.begin(tiles.begin) - rows_.begin(k.begin));
    return make_matrix_view<MemorySpace>(first, rows_.extent_of(tiles), kernels::potrf_block, rows_.extent_of(k));
  }

  /// The inverses that a device's solve works with, of the leaves in these tiles of step k.
  void invert(kernels::Queue<Exec>& queue, const ShardedMatrix<T, MemorySpace>& l, TileRange k,
              std::int64_t step_number, TileRange tiles) const {
    const std::vector<TileRange>& all = leaves_.all();
    auto leaf = std::lower_bound(all.begin(), all.end(), tiles.begin,
                                 [](const TileRange& one, GlobalTile tile) { return one.begin < tile; });
    for (; leaf != all.end() && leaf->begin < tiles.end; ++leaf) {
      const View block = l.view(rows_.local_begin(leaf->begin), rows_.local_begin(leaf->end),
                                columns_.local_begin(leaf->begin), columns_.local_begin(leaf->end));
      kernels::invert<T>(queue, block, inverses(k, step_number, *leaf),
                         leaves_.inverse(inverses_, leaf - all.begin(), rows_.extent_of(*leaf)), buffers_.invert);
    }
  }

  /// Elements of the message with a tile of m rows: the tile, and on a device the inverses of its blocks.
  static std::int64_t message_size(std::int64_t m) { return m * FactorizeBuffers<T, Exec>::diagonal_columns(m); }

  /// Tile t of step k, and its inverses, in such a message: the messages of a step stand one after the other.
  View tile_in(T* messages, TileRange k, GlobalTile t) const {
    const std::int64_t m = rows_.extent(t);
    return make_matrix_view<MemorySpace>(messages + (t - k.begin) * message_size(rows_.tile), m, m, m);
  }
  View inverses_in(T* messages, TileRange k, GlobalTile t) const {
    const std::int64_t m = rows_.extent(t);
    return make_matrix_view<MemorySpace>(tile_in(messages, k, t).data() + m * m, m,
                                         kernels::on_host<Exec> ? 0 : kernels::potrf_block, m);
  }

 private:
  BlockCyclic rows_;
  BlockCyclic columns_;
  FactorizeBuffers<T, Exec> buffers_;
  Leaves<MemorySpace> leaves_;
  T* inverses_;
};

}  // namespace tessera::detail

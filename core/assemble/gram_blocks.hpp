// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/tuning.hpp"
#include "kernels/residues.hpp"
#include "tessera/detail/saturated.hpp"
#include "tessera/distribution.hpp"

#include <algorithm>
#include <cstdint>

namespace tessera::detail {

/// Calls body(begin, end) for groups of a rank's tile columns, up to `width` columns or one tile column, each in one
/// slab.
template <class Body>
void for_each_column_group(const SlabLayout& layout, std::int64_t width, const Body& body) {
  const std::int64_t slab_tiles = std::max<std::int64_t>(1, layout.slab / layout.columns.tile);
  const std::int64_t together = std::max<std::int64_t>(1, width / layout.columns.tile);
  const LocalTile end = layout.columns.local_tiles_end();
  for (LocalTile t{0}; t < end;) {
    const LocalTile slab_end{(t.value / slab_tiles + 1) * slab_tiles};
    const LocalTile to = std::min({t + together, slab_end, end});
    body(t, to);
    t = to;
  }
}

/// The blocks in which a rank's part of a Gram matrix is made of integers, and the int32 numbers that their products
/// take: all blocks' where these are few enough to be kept from chunk to chunk, else those of one block.
template <class MemorySpace>
class GramBlocks {
 public:
  struct Block {
    LocalIndex row_begin;
    LocalIndex row_end;
    LocalIndex column_begin;
    LocalIndex column_end;
    std::int64_t products;  ///< where they begin

    std::int64_t rows() const { return row_end - row_begin; }
    std::int64_t columns() const { return column_end - column_begin; }
    std::int64_t leading_dimension() const { return kernels::PaddedColumns::padded(rows()); }
    std::int64_t plane() const { return leading_dimension() * columns(); }
  };

  GramBlocks(const SlabLayout& layout, int planes)
      : layout_(layout),
        planes_(planes),
        keeps_(saturated_product(layout.size(), planes * std::int64_t{sizeof(std::int32_t)}) <=
               Tuning<MemorySpace>::kept_products_bytes) {
    if (keeps_) {
      for_each([this](const Block& block) { size_ = block.products + planes_ * block.plane(); });
    } else {
      size_ = planes_ * largest_plane();
    }
  }

  bool keeps() const { return keeps_; }
  std::int64_t size() const { return size_; }

  template <class Body>
  void for_each(const Body& body) const {
    std::int64_t products = 0;
    for_each_column_group(layout_, width, [&](LocalTile begin, LocalTile end) {
      const BlockCyclic& rows = layout_.rows;
      const BlockCyclic& columns = layout_.columns;
      const LocalIndex from{begin.value * columns.tile};
      const LocalIndex to{std::min(end.value * columns.tile, columns.local_extent())};
      const LocalIndex bottom{rows.local_extent()};
      for (LocalIndex first = rows.local_begin(columns.to_global(begin)); first < bottom;) {
        const LocalIndex last = std::min(first + height, bottom);
        const Block block{first, last, from, to, products};
        body(block);
        if (keeps_) products += planes_ * block.plane();
        first = last;
      }
    });
  }

 private:
  static constexpr std::int64_t width = Tuning<MemorySpace>::integer_update_width;
  static constexpr std::int64_t height = Tuning<MemorySpace>::band_rows;

  std::int64_t largest_plane() const {
    const std::int64_t columns = std::min(std::max(width, layout_.columns.tile), layout_.columns.local_extent());
    return kernels::PaddedColumns::padded(std::min(height, layout_.rows.local_extent())) * columns;
  }

  SlabLayout layout_;
  int planes_;
  bool keeps_;
  std::int64_t size_ = 0;
};

}  // namespace tessera::detail

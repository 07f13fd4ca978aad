// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/tuning.hpp"
#include "kernels/residues.hpp"
#include "tessera/detail/integers.hpp"
#include "tessera/detail/saturated.hpp"
#include "tessera/distribution.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tessera::detail {

/// Where a rank keeps the residues of its part of L: by bands of consecutive local rows, each as wide as its last row
/// is in L without its tile on the diagonal, as only what is left of a step updates it, but not beyond the columns that
/// keep residues.
template <class T, class MemorySpace>
class ResidueLayout {
 public:
  /// Rows of a band, and of the products that are in memory at a time.
  static constexpr std::int64_t band_rows = Tuning<MemorySpace>::band_rows;

  /// Of those that are made anew, so many rows are in memory beside those of the columns that are updated.
  static constexpr std::int64_t rows_together = Tuning<MemorySpace>::rows_together;

  ResidueLayout(const SlabLayout& layout, const Integers& integers)
      : rows_(layout.rows),
        columns_(layout.columns),
        planes_(integers.moduli * kernels::planes_per_modulus<T>),
        padding_{layout.columns.tile},
        columns_end_(columns_.local_lower_bound(GlobalIndex{integers.width > 0 ? 0 : integers.columns})) {
    for (std::int64_t begin = 0; begin < rows_.local_extent(); begin += band_rows) {
      bands_.push_back(size_);
      const std::int64_t number = count() - 1;
      size_ = saturated_sum(size_, saturated_product(planes_, plane(number)));
    }
  }

  int planes() const { return planes_; }
  const kernels::PaddedColumns& padding() const { return padding_; }
  std::int64_t size() const { return size_; }              ///< bytes of all bands
  LocalIndex columns_end() const { return columns_end_; }  ///< one after this rank's columns that keep residues
  /// Bytes of a row that has all of these.
  std::int64_t longest_row() const { return padding_.position(columns_end_.value); }

  std::int64_t count() const { return static_cast<std::int64_t>(bands_.size()); }
  std::int64_t band_of(LocalIndex row) const { return row.value / band_rows; }
  LocalIndex row_begin(std::int64_t band) const { return {std::min(band * band_rows, rows_.local_extent())}; }

  /// The residues from `row` and `column` on, of rows of one band.
  kernels::Residues at(std::int8_t* all, LocalIndex row, LocalIndex column) const {
    const std::int64_t band = band_of(row);
    return {all + bands_[static_cast<std::size_t>(band)] + (row - row_begin(band)) * width(band) +
                padding_.position(column.value),
            width(band), plane(band)};
  }

 private:
  std::int64_t width(std::int64_t band) const {
    const LocalIndex last = row_begin(band + 1) + -1;
    return padding_.position(std::min(columns_end_, columns_.local_begin(rows_.tile_of(rows_.to_global(last)))).value);
  }
  std::int64_t plane(std::int64_t band) const {
    return saturated_product(kernels::rows_with_margin(row_begin(band + 1) - row_begin(band)), width(band));
  }

  BlockCyclic rows_;
  BlockCyclic columns_;
  int planes_;
  kernels::PaddedColumns padding_;
  LocalIndex columns_end_;
  std::vector<std::int64_t> bands_;  // where each begins
  std::int64_t size_ = 0;
};

}  // namespace tessera::detail

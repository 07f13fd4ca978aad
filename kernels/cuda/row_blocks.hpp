// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/slabs_of_l.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

// How a substitution divides L.
namespace tessera::kernels {

/// Rows of L that are solved for together, or columns. A block does not go beyond its leaf; some are empty.
struct RowBlock {
  std::int64_t begin;
  int size;
  int slab;
};

/// All of them, in order.
template <class T>
class RowBlocks {
 public:
  explicit RowBlocks(const SlabsOfL<T>& l)
      : n_(l.matrix.n),
        slab_width_(l.matrix.width),
        leaf_width_(l.leaf_width),
        leaves_in_slab_(static_cast<int>((slab_width_ + leaf_width_ - 1) / leaf_width_)),
        blocks_in_leaf_(static_cast<int>(substitution_blocks<T>(leaf_width_))) {}

  /// Those up to the last row; empty ones are only between slabs and leaves of other sizes.
  int count() const {
    const auto slabs = static_cast<int>((n_ + slab_width_ - 1) / slab_width_);
    const std::int64_t rows = n_ - (slabs - 1) * slab_width_;  // of the last slab
    const std::int64_t leaf = (rows - 1) / leaf_width_;
    const std::int64_t blocks = substitution_blocks<T>(rows - leaf * leaf_width_);
    return ((slabs - 1) * leaves_in_slab_ + static_cast<int>(leaf)) * blocks_in_leaf_ + static_cast<int>(blocks);
  }

  /// Where one is among all; steps are cheaper than divisions.
  struct Position {
    int slab;
    int leaf;   // in the slab
    int block;  // in the leaf
  };
  __device__ Position position(int number) const {
    const int leaf = number / blocks_in_leaf_;
    return {leaf / leaves_in_slab_, leaf % leaves_in_slab_, number % blocks_in_leaf_};
  }
  /// To the next one, or the one before.
  template <bool backward>
  __device__ void step(Position& at) const {
    if constexpr (backward) {
      if (--at.block >= 0) return;
      at.block = blocks_in_leaf_ - 1;
      if (--at.leaf >= 0) return;
      at.leaf = leaves_in_slab_ - 1;
      --at.slab;
    } else {
      if (++at.block < blocks_in_leaf_) return;
      at.block = 0;
      if (++at.leaf < leaves_in_slab_) return;
      at.leaf = 0;
      ++at.slab;
    }
  }
  __device__ int number(const Position& at) const {
    return (at.slab * leaves_in_slab_ + at.leaf) * blocks_in_leaf_ + at.block;
  }
  __device__ RowBlock operator[](const Position& at) const {
    const std::int64_t slab_end = min((at.slab + std::int64_t{1}) * slab_width_, n_);
    const std::int64_t leaf_begin = min(at.slab * slab_width_ + at.leaf * leaf_width_, slab_end);
    const std::int64_t leaf_end = min(leaf_begin + leaf_width_, slab_end);
    const std::int64_t begin = min(leaf_begin + std::int64_t{at.block} * substitution_block<T>, leaf_end);
    return {begin, static_cast<int>(min(begin + substitution_block<T>, leaf_end) - begin), at.slab};
  }

 private:
  std::int64_t n_;
  std::int64_t slab_width_;
  std::int64_t leaf_width_;
  int leaves_in_slab_;
  int blocks_in_leaf_;
};

template <class T>
__device__ const T* block_of_l(const SlabsOfL<T>& l, const RowBlock& rows, const RowBlock& columns) {
  const auto& slab = l.matrix.of[columns.slab];
  const std::int64_t origin = std::int64_t{columns.slab} * l.matrix.width;
  return slab.data + (rows.begin - origin) + (columns.begin - origin) * slab.leading_dimension;
}

}  // namespace tessera::kernels

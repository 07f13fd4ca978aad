// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/slabs.hpp"

#include <cstdint>

// A factor as Substitution takes it.
namespace tessera::kernels {

/// Rows and columns of the blocks on the diagonal of L that are solved for by their inverses.
template <class T>
inline constexpr int substitution_block = sizeof(T) > 8 ? 32 : 64;
template <class T>
constexpr std::int64_t substitution_blocks(std::int64_t rows) {
  return (rows + substitution_block<T> - 1) / substitution_block<T>;
}
/// Elements of the inverses of the blocks on the diagonal of so many rows of L.
template <class T>
constexpr std::int64_t inverses_size(std::int64_t rows) {
  return substitution_blocks<T>(rows) * substitution_block<T> * substitution_block<T>;
}

/// L in slabs, and the inverses of the blocks on its diagonal.
template <class T>
struct SlabsOfL {
  Slabs<const T> matrix;
  std::int64_t leaf_width;  // each slab's leaves begin with the slab, and its last one may be smaller
  const T* inverses;        // of each leaf as invert_blocks makes them, all in as much memory as the largest one's
};

}  // namespace tessera::kernels

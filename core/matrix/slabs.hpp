// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/slabs.hpp"
#include "tessera/sharded_matrix.hpp"

#include <cstdint>

namespace tessera::detail {

/// Whether one rank has all of the matrix, in so few slabs that one launch takes them: the only rank, or the one with
/// the only tile. Alike on all ranks.
template <class T>
bool fits_one_launch(const SlabLayout& layout) {
  if (layout.rows.tiles_end() <= GlobalTile{1}) return true;
  return layout.rows.processes * layout.columns.processes == 1 && layout.count() <= kernels::Slabs<T>::most;
}

/// Whether a rank has anything of the matrix; where one launch takes it, all of it.
inline bool is_here(const SlabLayout& layout) {
  return layout.rows.local_extent() > 0 && layout.columns.local_extent() > 0;
}

/// The slabs of a matrix that one rank has, at most kernels::Slabs<T>::most, as one launch takes them. Element: T or
/// const T.
template <class Element, class T, class MemorySpace>
kernels::Slabs<Element> slabs_of(const ShardedMatrix<T, MemorySpace>& matrix) {
  const SlabLayout& layout = matrix.layout();
  kernels::Slabs<Element> slabs{matrix.n(), layout.slab, {}};
  for (std::int64_t s = 0; s < layout.count(); ++s) {
    slabs.of[s] = {matrix.slab_block(s).a.data(), layout.leading_dimension(s)};
  }
  return slabs;
}

}  // namespace tessera::detail

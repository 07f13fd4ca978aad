#pragma once

#include "kernels/slabs.hpp"
#include "tessera/sharded_matrix.hpp"

#include <cstdint>

namespace tessera::detail {

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

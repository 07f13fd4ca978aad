// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support.hpp"

#include "kernels/elementwise.hpp"

#include <cmath>
#include <cstdint>

namespace tessera::testing {

/// NaN above the diagonal of L, in and between its tiles, where nothing may be read.
template <class T, class MemorySpace>
struct Poison {
  detail::LocalBlock<T, MemorySpace> slab;
  KOKKOS_FUNCTION void operator()(std::int64_t row, std::int64_t column) const {
    if (slab.global_row(row).value < slab.global_column(column).value) slab.a(row, column) = scalar<T>(NAN, NAN);
  }
};

template <class Exec, class T, class MemorySpace>
void poison_above_diagonal(const Exec& exec, const ShardedMatrix<T, MemorySpace>& l) {
  for (std::int64_t s = 0; s < l.layout().count(); ++s) {
    const auto slab = l.slab_block(s);
    kernels::for_each<T>("test::poison", exec, slab.a, Poison<T, MemorySpace>{slab});
  }
}

}  // namespace tessera::testing

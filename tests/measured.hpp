// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support.hpp"

#include <cmath>
#include <cstdint>
#include <string>

// Matrices to be measured: only the lower triangle and the real part of its diagonal may matter.
namespace tessera::testing {

/// A Hermitian matrix without a factor: noise, in which the column that has the largest sum is any.
template <class T>
struct Noise {
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    const std::int64_t p = i > j ? i : j;
    const std::int64_t q = i > j ? j : i;
    const double im = i == j ? 0 : i > j ? noise(p, q, 78) : -noise(p, q, 78);
    return scalar<T>(noise(p, q, 1), im);
  }
};

template <class T, class Space>
struct SpoilWhatIsNotRead {
  detail::LocalBlock<T, Space> slab;
  KOKKOS_FUNCTION void operator()(std::int64_t row, std::int64_t column) const {
    const std::int64_t i = slab.global_row(row).value;
    const std::int64_t j = slab.global_column(column).value;
    if (i < j) slab.a(row, column) = scalar<T>(NAN, NAN);
    if (i == j) slab.a(row, column) += scalar<T>(0, 8);
  }
};

/// f in tiles, with NaN above the diagonal, and an imaginary part on it.
template <class T, class F>
ShardedMatrix<T> measured(const ProcessGrid& grid, std::int64_t n, std::int64_t tile, std::int64_t slab, const F& f) {
  using Exec = Kokkos::DefaultExecutionSpace;
  const Exec exec;
  ShardedMatrix<T> matrix(grid, n, tile, slab);
  matrix.fill(exec, f);
  for (std::int64_t s = 0; s < matrix.layout().count(); ++s) {
    Kokkos::parallel_for("test::spoil",
                         Kokkos::MDRangePolicy<Exec, Kokkos::Rank<2>, Kokkos::IndexType<std::int64_t>>(
                             exec, {0, 0}, {matrix.layout().height(s), matrix.layout().width(s)}),
                         SpoilWhatIsNotRead<T, Exec::memory_space>{matrix.slab_block(s)});
  }
  exec.fence();
  return matrix;
}

/// Calls body(grid, n, tile, slab) for all grids, with n less than the ranks and ragged tiles among them.
template <class Body>
void for_each_layout(MPI_Comm comm, const Body& body) {
  for (const GridShape shape : all_grids(size_of(comm))) {
    const ProcessGrid grid(comm, shape);
    for (const std::int64_t n : {0, 1, 2, 5, 37, 101}) {
      for (const std::int64_t tile : {1, 7, 16, 200}) {
        if (n > 20 * tile) continue;  // many tiles, and nothing new
        for (const std::int64_t slab : {std::int64_t{0}, tile, 3 * tile}) {
          SCOPED_TRACE("n " + std::to_string(n) + ", tile " + std::to_string(tile) + ", slab " + std::to_string(slab) +
                       ", grid rows " + std::to_string(shape.rows));
          body(grid, n, tile, slab);
        }
      }
    }
  }
}

}  // namespace tessera::testing

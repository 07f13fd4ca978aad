// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/scalapack/submatrix.hpp"
#include "tessera/matrix_view.hpp"
#include "tessera/options.hpp"
#include "tessera/scalapack.hpp"
#include "tessera/sharded_matrix.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

namespace tessera::scalapack {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;

/// sub(A) of a ScaLAPACK routine as a ShardedMatrix: in the caller's array, where a host is to work on a lower triangle
/// at the array's origin, or else a copy.
template <class T>
class Operand {
 public:
  /// `a`: this process's part of the array, in host memory.
  Operand(const ProcessGrid& grid, const Submatrix& part, bool is_lower, T* a)
      : part_(part),
        triangle_(is_lower ? Triangle::lower : Triangle::upper),
        array_{grid,
               view_of(a, grid, part),
               part.row + part.rows,
               part.column + part.columns,
               part.row_block,
               part.column_block,
               part.row_source,
               part.column_source,
               part.row,
               part.column} {}

  /// Whether matrix() is the caller's array itself.
  bool is_in_place() const {
    return Kokkos::SpaceAccessibility<Exec, Kokkos::HostSpace>::accessible && triangle_ == Triangle::lower &&
           part_.is_at_origin();
  }

  /// Collective. What sub(A) holds by now.
  ShardedMatrix<T, Space> matrix() const {
    if constexpr (Kokkos::SpaceAccessibility<Exec, Kokkos::HostSpace>::accessible) {
      if (is_in_place()) {
        return ShardedMatrix<T, Space>::adopt(array_.grid, part_.rows, part_.row_block, array_.local);
      }
    }
    ShardedMatrix<T, Space> copy(array_.grid, part_.rows, part_.row_block);
    from_scalapack(Exec(), array_, copy, triangle_);
    return copy;
  }

  /// Collective. sub(A) = what came of matrix(), which may be sub(A) already; else `changed` becomes true before that.
  void put_back(const ShardedMatrix<T, Space>& matrix, bool& changed) const {
    if (!is_in_place()) detail::to_scalapack(Exec(), matrix, array_, triangle_, changed);
  }

 private:
  using Local = MatrixView<T, Kokkos::HostSpace>;

  /// The columns up to the last one of sub(A): those that the routines promise.
  static Local view_of(T* a, const ProcessGrid& grid, const Submatrix& part) {
    const BlockCyclic columns = part.columns_on(grid.col(), grid.shape());
    const GlobalIndex end{part.column + part.columns};
    const std::int64_t rows = part.leading_dimension;
    return make_matrix_view<Kokkos::HostSpace>(a, rows, columns.local_lower_bound(end).value, rows);
  }

  Submatrix part_;
  Triangle triangle_;
  ScalapackArray<Local> array_;
};

}  // namespace tessera::scalapack

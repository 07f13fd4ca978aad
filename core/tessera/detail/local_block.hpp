// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/distribution.hpp>
#include <tessera/matrix_view.hpp>

#include <Kokkos_Core.hpp>

#include <cstdint>

namespace tessera::detail {

/// A rectangle of one rank's local matrix, and its place in the whole one: the first element of `a` is at
/// (row_begin, column_begin) of the local matrix, whose distribution is `rows` x `columns`.
template <class T, class MemorySpace>
struct LocalBlock {
  MatrixView<T, MemorySpace> a;
  BlockCyclic rows;
  BlockCyclic columns;
  LocalIndex row_begin;
  LocalIndex column_begin;

  /// Where row `row` of `a` is in the whole matrix.
  KOKKOS_FUNCTION GlobalIndex global_row(std::int64_t row) const { return rows.to_global(row_begin + row); }
  /// Where column `column` of `a` is in the whole matrix.
  KOKKOS_FUNCTION GlobalIndex global_column(std::int64_t column) const {
    return columns.to_global(column_begin + column);
  }
};

}  // namespace tessera::detail

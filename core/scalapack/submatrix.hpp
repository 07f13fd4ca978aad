// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/scalapack/context.hpp"
#include "tessera/detail/agreement.hpp"
#include "tessera/distribution.hpp"

#include <cstddef>
#include <cstdint>

namespace tessera::scalapack {

/// A part of a distributed array, as ScaLAPACK's routines are told of it: sub(A), or sub(B).
struct Submatrix {
  /// m x n, from (i, j) on, counted from 1. `desc`: the nine numbers of the array's descriptor.
  Submatrix(std::int64_t m, std::int64_t n, int i, int j, const int* desc)
      : rows(m),
        columns(n),
        row(std::int64_t{i} - 1),
        column(std::int64_t{j} - 1),
        descriptor(desc),
        type(desc[0]),
        context(desc[1]),
        array_rows(desc[2]),
        array_columns(desc[3]),
        row_block(desc[4]),
        column_block(desc[5]),
        row_source(desc[6]),
        column_source(desc[7]),
        leading_dimension(desc[8]) {}

  std::int64_t rows;
  std::int64_t columns;
  std::int64_t row;     ///< where it begins, from 0
  std::int64_t column;  ///< where it begins, from 0

  const int* descriptor;
  int type;
  int context;
  std::int64_t array_rows;
  std::int64_t array_columns;
  int row_block;
  int column_block;
  int row_source;
  int column_source;
  std::int64_t leading_dimension;

  /// The distribution of the array's rows, as a process row sees it, and of its columns.
  BlockCyclic rows_on(int process_row, GridShape grid) const {
    return {array_rows, row_block, grid.rows, (process_row - row_source + grid.rows) % grid.rows};
  }
  BlockCyclic columns_on(int process_column, GridShape grid) const {
    return {array_columns, column_block, grid.cols, (process_column - column_source + grid.cols) % grid.cols};
  }
  /// The process row that has its first row.
  int first_process_row(GridShape grid) const { return static_cast<int>((row / row_block + row_source) % grid.rows); }
  /// Whether it is the upper left part of an array that begins on process (0, 0).
  bool is_at_origin() const { return row == 0 && column == 0 && row_source == 0 && column_source == 0; }

  /// Throws Misuse unless it lies in its array, and each process's part of the array has its place. `alignment`: of
  /// its elements, which begin at `data` on this process.
  void require_sound(const char* name, const Context& context, const void* data, std::size_t alignment) const;
  /// Throws Misuse unless it is what Tessera factors, or has factored: square, in square blocks, and made of whole ones
  /// but for the last.
  void require_square_blocks(const char* name) const;
  /// Throws Misuse unless its rows are distributed as those of `a`.
  void require_rows_of(const Submatrix& a, GridShape grid) const;
  /// Notes what all processes must pass alike.
  void note(detail::Agreement& agreement) const;
};

}  // namespace tessera::scalapack

// SPDX-License-Identifier: BSD-3-Clause
#include "core/scalapack/submatrix.hpp"

#include <algorithm>
#include <string>

namespace tessera::scalapack {

using detail::throw_misuse;

void Submatrix::require_sound(const char* name, const Context& on, const void* data, std::size_t alignment) const {
  constexpr int block_cyclic = 1;
  if (type != block_cyclic) throw_misuse(name, "is of descriptor type " + std::to_string(type));
  if (context != on.number) throw_misuse(name, "is in another context");
  if (rows < 1 || columns < 1) throw_misuse(name, std::to_string(rows) + " x " + std::to_string(columns));
  if (row_block < 1 || column_block < 1) throw_misuse(name, "has blocks without rows or columns");
  if (row_source < 0 || row_source >= on.shape.rows || column_source < 0 || column_source >= on.shape.cols) {
    throw_misuse(name, "begins outside the grid");
  }
  if (row < 0 || column < 0 || row + rows > array_rows || column + columns > array_columns) {
    throw_misuse(name, "is not in its array");
  }
  if (leading_dimension < std::max<std::int64_t>(1, rows_on(on.row, on.shape).local_extent())) {
    throw_misuse(name, "has a leading dimension of " + std::to_string(leading_dimension));
  }
  if (reinterpret_cast<std::uintptr_t>(data) % alignment != 0) throw_misuse(name, "is not aligned");
}

void Submatrix::require_square_blocks(const char* name) const {
  if (row_block != column_block) {
    throw_misuse(name, "has blocks of " + std::to_string(row_block) + " x " + std::to_string(column_block));
  }
  if (row % row_block != 0 || column % column_block != 0) throw_misuse(name, "begins within a block");
}

void Submatrix::require_rows_of(const Submatrix& a, GridShape grid) const {
  if (row_block != a.row_block || row % row_block != 0 || first_process_row(grid) != a.first_process_row(grid)) {
    throw_misuse("B", "has other blocks of rows than A");
  }
}

void Submatrix::note(detail::Agreement& agreement) const {
  agreement.same("rows", rows);
  agreement.same("columns", columns);
  agreement.same("row", row);
  agreement.same("column", column);
  agreement.same("M", array_rows);
  agreement.same("N", array_columns);
  agreement.same("MB", row_block);
  agreement.same("NB", column_block);
  agreement.same("RSRC", row_source);
  agreement.same("CSRC", column_source);
}

}  // namespace tessera::scalapack

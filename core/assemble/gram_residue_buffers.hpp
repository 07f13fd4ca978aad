// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/assemble/gram_blocks.hpp"
#include "core/assemble/gram_strips.hpp"
#include "core/matrix/axis_scales.hpp"
#include "core/matrix/workspace.hpp"
#include "kernels/residues.hpp"
#include "kernels/square_sum.hpp"
#include "tessera/detail/saturated.hpp"
#include "tessera/distribution.hpp"

#include <cstdint>

namespace tessera::detail {

/// What a Gram matrix by integers takes: scales of the rows of X, the residues of a chunk, and their products.
template <class T, class Exec>
struct GramResidueBuffers {
  using MemorySpace = typename Exec::memory_space;

  /// `terms_of_chunk`: the most that one has.
  GramResidueBuffers(Workspace<MemorySpace>& workspace, const SlabLayout& layout, std::int64_t terms_of_chunk,
                     int count)
      : moduli_count(count),
        moduli(workspace.template take<kernels::Moduli>(1)),
        squares(workspace.template take<kernels::SquareSum>(layout.rows.n)),
        of_all(take_scales(workspace, layout.rows.n)),
        of_rows(take_scales(workspace, layout.rows.local_extent())),
        of_columns(take_scales(workspace, layout.columns.local_extent())),
        thresholds(workspace.template take<float>(kernels::PaddedColumns::padded(terms_of_chunk))),
        row_residues(take_residues(workspace, layout.rows, terms_of_chunk)),
        column_residues(has_one_operand(layout) ? row_residues
                                                : take_residues(workspace, layout.columns, terms_of_chunk)),
        products(workspace.template take<std::int32_t>(GramBlocks<MemorySpace>(layout, planes()).size())) {}

  int planes() const { return moduli_count * kernels::planes_per_modulus<T>; }

  /// Whether this rank's columns of A have the rows of X that its rows have, and not their conjugates.
  static bool has_one_operand(const SlabLayout& layout) {
    return nesting_of(layout.rows, layout.columns) == Nesting::same && kernels::planes_per_modulus<T> == 1;
  }

  int moduli_count;
  kernels::Moduli* moduli;
  kernels::SquareSum* squares;  // of all rows of X
  kernels::RowScales of_all;    // by global index
  kernels::RowScales of_rows;   // by local index of A's rows
  kernels::RowScales of_columns;
  float* thresholds;  // of the terms of a chunk
  kernels::Residues row_residues;
  kernels::Residues column_residues;
  std::int32_t* products;

 private:
  kernels::Residues take_residues(Workspace<MemorySpace>& workspace, const BlockCyclic& axis,
                                  std::int64_t terms_of_chunk) const {
    const std::int64_t row = kernels::PaddedColumns::padded(terms_of_chunk);
    const std::int64_t plane = saturated_product(kernels::rows_with_margin(axis.local_extent()), row);
    return {workspace.template take<std::int8_t>(planes(), plane), row, plane};
  }
};

}  // namespace tessera::detail

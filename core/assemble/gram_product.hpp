// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/assemble/gram_blocks.hpp"
#include "core/exchange/transfers.hpp"
#include "core/tuning.hpp"
#include "kernels/blas.hpp"
#include "kernels/queue.hpp"
#include "tessera/sharded_matrix.hpp"

#include <algorithm>
#include <cstdint>

namespace tessera::detail {

/// A += alpha X X^H on this rank's lower tiles, for some columns of X: from both strips of X or, `transposed`,
/// of X^H.
template <class T, class Exec>
class GramProduct {
 public:
  using MemorySpace = typename Exec::memory_space;
  using View = MatrixView<const T, MemorySpace>;

  struct Operands {
    View row_strip;
    View column_strip;
    bool transposed;
  };

  /// Messages make progress between the calls of BLAS.
  GramProduct(kernels::Queue<Exec>& queue, RealOf<T> alpha, ShardedMatrix<T, MemorySpace>& matrix,
              Transfers<Exec>& transfers)
      : queue_(queue),
        alpha_(alpha),
        matrix_(matrix),
        transfers_(transfers),
        rows_(matrix.rows()),
        columns_(matrix.columns()),
        alone_(matrix.grid().size() == 1) {}

  void add(const Operands& x) {
    // The wider, the less time goes to packing; a device would compute too much above the diagonal.
    const std::int64_t width = kernels::is_host<Exec> ? matrix_.slab() : Tuning<MemorySpace>::update_width;
    for_each_column_group(matrix_.layout(), width,
                          [&](LocalTile begin, LocalTile end) { add_to_columns(x, begin, end); });
  }

 private:
  /// Tile columns that lie in one slab: a staircase, on whose steps there are diagonal tiles.
  void add_to_columns(const Operands& x, LocalTile begin, LocalTile end) {
    const LocalIndex from = column_begin(begin);
    const LocalIndex bottom{rows_.local_extent()};
    if (!kernels::is_host<Exec>) {  // a device is not filled by steps: what is above the diagonal goes along
      return add_to_block(x, top(begin), bottom, from, column_begin(end));
    }
    if (alone_) {
      const LocalIndex below = column_begin(end);
      add_to_diagonal(x, from, from, below);
      return add_to_block(x, below, bottom, from, below);
    }
    for (LocalTile t = begin; t < end; ++t) {
      LocalIndex first = top(t);
      if (rows_.is_mine(columns_.to_global(t))) {
        const LocalIndex below = first + columns_.extent(columns_.to_global(t));
        add_to_block(x, first, below, from, column_begin(t));
        add_to_diagonal(x, first, column_begin(t), column_begin(t + 1));
        first = below;
      }
      add_to_block(x, first, t + 1 < end ? top(t + 1) : bottom, from, column_begin(t + 1));
    }
  }

  /// The first row that a tile column has.
  LocalIndex top(LocalTile column) const { return rows_.local_begin(columns_.to_global(column)); }
  LocalIndex column_begin(LocalTile t) const { return {std::min(t.value * columns_.tile, columns_.local_extent())}; }

  void add_to_block(const Operands& x, LocalIndex first, LocalIndex last, LocalIndex from, LocalIndex to) {
    using kernels::Op;
    const auto terms = static_cast<std::int64_t>(x.row_strip.extent(x.transposed ? 0 : 1));
    const std::int64_t most = rows_of_a_call<T, MemorySpace>(matrix_.grid().size(), (to - from) * terms);
    while (first < last && from < to) {
      const LocalIndex next = std::min(last, first + most);
      kernels::gemm<T>(queue_, T(alpha_), x.transposed ? Op::conj_transpose : Op::none,
                       rows_of(x.row_strip, x.transposed, first, next), x.transposed ? Op::none : Op::conj_transpose,
                       rows_of(x.column_strip, x.transposed, from, to), T(1), matrix_.view(first, next, from, to));
      progress();
      first = next;
    }
  }

  /// Rows from `first` on, of the same tiles as the columns.
  void add_to_diagonal(const Operands& x, LocalIndex first, LocalIndex from, LocalIndex to) {
    const LocalIndex last = first + (to - from);
    kernels::herk<T>(queue_, T(alpha_), x.transposed ? kernels::Op::conj_transpose : kernels::Op::none,
                     rows_of(x.row_strip, x.transposed, first, last), T(1), matrix_.view(first, last, from, to));
    progress();
  }

  static View rows_of(const View& strip, bool transposed, LocalIndex first, LocalIndex last) {
    return transposed ? block(strip, 0, static_cast<std::int64_t>(strip.extent(0)), first.value, last.value)
                      : block(strip, first.value, last.value, 0, static_cast<std::int64_t>(strip.extent(1)));
  }

  void progress() {
    if (!transfers_.idle()) transfers_.progress();
  }

  kernels::Queue<Exec>& queue_;
  RealOf<T> alpha_;
  ShardedMatrix<T, MemorySpace>& matrix_;
  Transfers<Exec>& transfers_;
  BlockCyclic rows_;
  BlockCyclic columns_;
  bool alone_;
};

}  // namespace tessera::detail

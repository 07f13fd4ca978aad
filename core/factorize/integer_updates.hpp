// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/factorize/residue_buffers.hpp"
#include "core/factorize/update.hpp"
#include "core/matrix/axis_scales.hpp"
#include "kernels/backend.hpp"
#include "kernels/residues.hpp"
#include "tessera/detail/strided.hpp"
#include "tessera/distribution.hpp"
#include "tessera/matrix_view.hpp"
#include "tessera/sharded_matrix.hpp"

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>

namespace tessera::detail {

/// C = beta C - L(k:,0:to) L(k,0:to)^H for block column k and a rank's local columns before `to`, which keep residues.
template <class T, class MemorySpace>
struct IntegerUpdate {
  TileRange k;
  LocalIndex to;
  kernels::Residues right;  ///< of the conjugates of rows k; not used where those are left operands, too
  T beta;
  MatrixView<T, MemorySpace> target;  ///< C, from this rank's first row of k on
};

/// Updates by exact products of integers. Row i of L, whose squares add up to A(i,i), is scaled by a power of two and
/// rounded to integers, when a block column is factored; their residues serve all later updates, or are made anew. By
/// Cauchy and Schwarz no sum can leave (-P / 2, P / 2), P the product of the moduli, so that the Chinese remainder
/// theorem gives it back exactly. A row in which that does not hold, as some leading minor up to its own is not
/// positive definite, gets NaNs, and its pivot with it.
template <class T, class Exec>
class IntegerUpdates {
 public:
  using MemorySpace = typename Exec::memory_space;
  using View = MatrixView<T, MemorySpace>;
  using Buffers = ResidueBuffers<T, Exec>;

  /// `diagonal`: all of A's, in the memory of `exec`.
  IntegerUpdates(const Exec& exec, const SlabLayout& layout, const Integers& integers, const Buffers& buffers,
                 const double* diagonal)
      : rows_(layout.rows),
        columns_(layout.columns),
        count_(integers.moduli),
        bands_(layout, integers),
        columns_of_products_(steps_of<MemorySpace>(layout, count_).width()),
        buffers_(buffers),
        remainders_(exec, kernels::Priority::urgent),
        of_products_(buffers.products.size()) {
    const kernels::Moduli on_host = kernels::make_moduli(count_);
    copy_from_host<Exec, kernels::Moduli>(exec, &on_host, buffers.moduli, 1);
    kernels::make_row_scales(exec, diagonal, rows_.n, kernels::largest_norm(on_host, rows_.n), buffers.of_all_rows);
    pick_scales(exec, rows_, buffers.of_all_rows, buffers.of_my_rows);
    forget_sums(exec, LocalIndex{0});
    exec.fence();  // remainders begin after all that `exec` has done
  }

  /// One after this rank's columns that keep residues.
  LocalIndex columns_end() const { return bands_.columns_end(); }

  /// Keeps the residues of the rows below step k, in which this process column has all columns of `k`, if they do.
  void keep(const Exec& exec, TileRange k, const ShardedMatrix<T, MemorySpace>& l) {
    const LocalIndex from = columns_.local_begin(k.begin);
    const LocalIndex to = columns_.local_begin(k.end);
    if (to > columns_end()) return;
    for_each_band(rows_.local_begin(k.end), LocalIndex{rows_.local_extent()}, [&](LocalIndex begin, LocalIndex end) {
      kernels::left_residues<T>(exec, buffers_.moduli, count_, l.view(begin, end, from, to), bands_.padding(),
                                buffers_.of_my_rows.up + begin.value, bands_.at(buffers_.left, begin, from),
                                {buffers_.sums.squares + begin.value, buffers_.sums.exact_until + begin.value},
                                from.value);
    });
  }

  /// Memory for the right operands of an update of block column k, which is free again when the step is over; none
  /// where left ones serve.
  kernels::Residues take_right(TileRange k) {
    if (buffers_.right.empty()) return {};
    std::int8_t* const data = buffers_.right[taken_++ % buffers_.right.size()];
    const std::int64_t row = bands_.longest_row();
    return {data, row, row * rows_.extent_of(k)};
  }

  /// Right operands of rows k, of this rank's columns before `to`: from `row`, L(k, :to)^H, where it is not empty.
  void make_right(const Exec& exec, TileRange k, LocalIndex to, const View& row, const kernels::Residues& right) {
    if (row.size() > 0) {
      kernels::right_residues<T>(exec, buffers_.moduli, count_, row, bands_.padding(),
                                 buffers_.of_all_rows.up + rows_.begin(k.begin).value, right);
      return;
    }
    const LocalIndex first = rows_.local_begin(k.begin);
    for_each_band(first, rows_.local_begin(k.end), [&](LocalIndex begin, LocalIndex end) {
      kernels::conjugate_residues(exec, buffers_.moduli, count_, end - begin, bands_.padding().position(to.value),
                                  bands_.at(buffers_.left, begin, LocalIndex{0}),
                                  {right.data + (begin - first) * right.row, right.row, right.plane});
    });
  }

  /// The instance that ends an update: it makes numbers of the products while the next ones are computed.
  const Exec& remainders() const { return remainders_.exec(); }

  void subtract(kernels::Queue<Exec>& queue, const IntegerUpdate<T, MemorySpace>& update, const UpdatePart& part) {
    const LocalIndex top = rows_.local_begin(update.k.begin);
    for_each_band(part.begin, part.end, [&](LocalIndex begin, LocalIndex end) {
      const kernels::Residues left = bands_.at(buffers_.left, begin, LocalIndex{0});
      if (!buffers_.right.empty()) {
        subtract_product(queue, left, update.right, unscale(begin, update.k, 0, update.to), update.beta,
                         block(update.target, begin - top, end - top, 0, part.columns));
        return;
      }
      for_each_band(top, top + part.columns, [&](LocalIndex from, LocalIndex to) {
        subtract_product(queue, left, bands_.at(buffers_.left, from, LocalIndex{0}),
                         unscale(begin, update.k, from - top, update.to), update.beta,
                         block(update.target, begin - top, end - top, from - top, to - top));
      });
    });
  }

  /// C -= L(k:,0:to) L(k,0:to)^H for the columns k of some steps of the only rank, by residues that are made for that:
  /// those of rows k, and of the others some rows at a time. `target`: C.
  void subtract_together(kernels::Queue<Exec>& queue, const ShardedMatrix<T, MemorySpace>& l, TileRange k,
                         LocalIndex to, const View& target) {
    const Exec& exec = queue.exec();
    const LocalIndex top = rows_.local_begin(k.begin);
    const LocalIndex below = rows_.local_begin(k.end);
    const LocalIndex rows_end{rows_.local_extent()};
    forget_sums(exec, top);
    const kernels::Residues of_k = make_left(exec, l, top, below, to, buffers_.right.front());
    kernels::Residues right = of_k;
    if constexpr (kernels::planes_per_modulus<T> != 1) {
      right.data = buffers_.right.back();
      kernels::conjugate_residues(exec, buffers_.moduli, count_, below - top, right.row, of_k, right);
    }
    for (LocalIndex begin = top; begin < rows_end;) {
      const LocalIndex end = std::min(begin < below ? below : rows_end, begin + Buffers::Layout::rows_together);
      kernels::Residues left = of_k;
      if (begin < below) {
        left.data += (begin - top) * left.row;
      } else {
        left = make_left(exec, l, begin, end, to, buffers_.left);
      }
      for (std::int64_t from = 0; from < below - top; from += columns_of_products_) {
        const std::int64_t columns = std::min(columns_of_products_, below - top - from);
        subtract_product(queue, left, {right.data + from * right.row, right.row, right.plane},
                         unscale(begin, k, from, to), T(1),
                         block(target, begin - top, end - top, from, from + columns));
      }
      begin = end;
    }
    // What comes next subtracts natively from the same columns, or makes sums anew.
    for (OfProducts& events : of_products_) events.subtracted.hold_back(exec);
  }

 private:
  /// body(begin, end) for each part of the local rows [begin, end) that lies in one band.
  template <class Body>
  void for_each_band(LocalIndex begin, LocalIndex end, const Body& body) const {
    while (begin < end) {
      const LocalIndex to = std::min(end, bands_.row_begin(bands_.band_of(begin) + 1));
      body(begin, to);
      begin = to;
    }
  }

  /// Of the memory of some products.
  struct OfProducts {
    kernels::Event<Exec> multiplied;
    kernels::Event<Exec> subtracted;
  };

  /// Of rows from `begin` on, and of k's from number `first` on, which have been multiplied as far as column `to`.
  kernels::Unscale unscale(LocalIndex begin, TileRange k, std::int64_t first, LocalIndex to) const {
    return {buffers_.of_my_rows.down + begin.value, buffers_.of_all_rows.down + rows_.begin(k.begin).value + first,
            buffers_.sums.exact_until + begin.value, to.value};
  }

  /// No columns of rows from `begin` on have been added up.
  void forget_sums(const Exec& exec, LocalIndex begin) {
    const std::int64_t count = rows_.local_extent() - begin.value;
    fill("tessera::factorize::no_squares", exec, buffers_.sums.squares + begin.value, count, 0.0);
    fill("tessera::factorize::all_exact", exec, buffers_.sums.exact_until + begin.value, count,
         std::numeric_limits<std::int64_t>::max());
  }

  /// The residues of rows [begin, end) and this rank's columns before `to`, in `memory`.
  kernels::Residues make_left(const Exec& exec, const ShardedMatrix<T, MemorySpace>& l, LocalIndex begin,
                              LocalIndex end, LocalIndex to, std::int8_t* memory) {
    const std::int64_t row = bands_.padding().position(to.value);
    const kernels::Residues residues{memory, row, row * kernels::rows_with_margin(end - begin)};
    l.layout().for_each_slab(LocalIndex{0}, to, [&](LocalIndex from, LocalIndex until) {
      kernels::left_residues<T>(exec, buffers_.moduli, count_, l.view(begin, end, from, until), bands_.padding(),
                                buffers_.of_my_rows.up + begin.value,
                                {memory + bands_.padding().position(from.value), residues.row, residues.plane},
                                {buffers_.sums.squares + begin.value, buffers_.sums.exact_until + begin.value},
                                from.value);
    });
    return residues;
  }

  /// Rows of `left` and `right` for those and the columns of `target`.
  void subtract_product(kernels::Queue<Exec>& queue, kernels::Residues left, kernels::Residues right,
                        const kernels::Unscale& unscale, T beta, const View& target) {
    const auto rows = static_cast<std::int64_t>(target.extent(0));
    const auto columns = static_cast<std::int64_t>(target.extent(1));
    const std::int64_t leading_dimension = kernels::PaddedColumns::padded(rows);
    for (std::int64_t depth = bands_.padding().position(unscale.end); depth > 0;) {
      const std::int64_t piece = std::min(depth, kernels::most_depth);
      const std::size_t turn = turn_++ % of_products_.size();
      OfProducts& events = of_products_[turn];
      const kernels::ResidueProducts products{buffers_.products[turn], leading_dimension, leading_dimension * columns};
      events.subtracted.hold_back(queue.exec());
      kernels::multiply_residues(queue, bands_.planes(), rows, columns, piece, left, right, products);
      events.multiplied.record(queue.exec());
      events.multiplied.hold_back(remainders());
      kernels::subtract_products<T>(remainders(), buffers_.moduli, count_, products, unscale, beta, target);
      events.subtracted.record(remainders());
      left.data += piece;
      right.data += piece;
      depth -= piece;
      beta = T(1);
    }
  }

  BlockCyclic rows_;
  BlockCyclic columns_;
  int count_;
  ResidueLayout<T, MemorySpace> bands_;
  std::int64_t columns_of_products_;  // the most at a time
  Buffers buffers_;
  std::size_t taken_ = 0;  // right operands
  kernels::InstanceBeside<Exec> remainders_;
  std::deque<OfProducts> of_products_;
  std::size_t turn_ = 0;
};

}  // namespace tessera::detail

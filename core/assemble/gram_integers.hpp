// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/assemble/gram_blocks.hpp"
#include "core/assemble/gram_product.hpp"
#include "core/assemble/gram_residue_buffers.hpp"
#include "core/assemble/gram_rounding.hpp"
#include "core/exchange/transfers.hpp"
#include "core/matrix/axis_scales.hpp"
#include "kernels/queue.hpp"
#include "kernels/residues.hpp"
#include "tessera/detail/strided.hpp"
#include "tessera/sharded_matrix.hpp"

#include <algorithm>
#include <cstdint>

namespace tessera::detail {

/// A += alpha X X^H on this rank's lower tiles by exact products of integers: each row of X is scaled for its norm and
/// rounded, once, up or down by chance. By Cauchy and Schwarz no sum of products can leave (-P / 2, P / 2), P the
/// product of the moduli, so that the Chinese remainder theorem gives it back exactly: at the end, or where the sums
/// would outgrow an int32, or after each chunk where they are too many to be kept.
template <class T, class Exec>
class GramIntegers {
 public:
  using MemorySpace = typename Exec::memory_space;
  using Operands = typename GramProduct<T, Exec>::Operands;
  using Buffers = GramResidueBuffers<T, Exec>;
  using Block = typename GramBlocks<MemorySpace>::Block;

  GramIntegers(kernels::Queue<Exec>& queue, const Buffers& buffers, RealOf<T> alpha,
               ShardedMatrix<T, MemorySpace>& matrix, Transfers<Exec>& transfers)
      : queue_(queue),
        buffers_(buffers),
        alpha_(static_cast<double>(alpha)),
        matrix_(matrix),
        transfers_(transfers),
        blocks_(matrix.layout(), buffers.planes()) {}

  /// From the sums of squares in the buffers. Returns whether all rows have a scale; all ranks find the same.
  bool make_scales() {
    const Exec& exec = queue_.exec();
    const kernels::Moduli moduli = kernels::make_moduli(buffers_.moduli_count);
    copy_from_host<Exec, kernels::Moduli>(exec, &moduli, buffers_.moduli, 1);
    // What is rounded at a time are the terms that are summed in an int32, each by an error below 1.
    const double norm = kernels::largest_norm(moduli, kernels::most_depth, 1);
    if (!kernels::make_row_scales(exec, buffers_.squares, matrix_.n(), norm, buffers_.of_all)) return false;
    pick_scales(exec, matrix_.rows(), buffers_.of_all, buffers_.of_rows);
    pick_scales(exec, matrix_.columns(), buffers_.of_all, buffers_.of_columns);
    return true;
  }

  /// `x`: the terms of that chunk.
  void add(const Operands& x, const GramChunks& chunks, std::int64_t chunk) {
    make_thresholds(queue_.exec(), chunks, chunk, buffers_.thresholds);
    const auto terms = static_cast<std::int64_t>(x.row_strip.extent(x.transposed ? 0 : 1));
    const std::int64_t depth = kernels::PaddedColumns::padded(terms);
    // A(i, j) = x(i) . conj(x(j)), and what is transposed holds conjugates.
    write_residues(x.row_strip, x.transposed, buffers_.of_rows.up, x.transposed, buffers_.row_residues);
    if (!Buffers::has_one_operand(matrix_.layout())) {
      write_residues(x.column_strip, x.transposed, buffers_.of_columns.up, !x.transposed, buffers_.column_residues);
    }
    for (std::int64_t begin = 0; begin < depth;) {
      const std::int64_t piece = std::min(depth - begin, kernels::most_depth);
      if (summed_ + piece > kernels::most_depth) finish();
      blocks_.for_each([&](const Block& block) { multiply(block, begin, piece); });
      if (blocks_.keeps()) summed_ += piece;
      begin += piece;
    }
  }

  /// Adds what is kept to A.
  void finish() {
    if (summed_ == 0) return;
    blocks_.for_each([this](const Block& block) { add_to_matrix(block); });
    summed_ = 0;
  }

 private:
  using View = MatrixView<const T, MemorySpace>;

  void write_residues(const View& strip, bool transposed, const double* scales, bool conjugated,
                      const kernels::Residues& to) {
    const Exec& exec = queue_.exec();
    const kernels::PaddedColumns terms{kernels::PaddedColumns::alignment};
    const kernels::Rounding rounding{buffers_.thresholds};
    if (transposed) {
      kernels::right_residues<T>(exec, buffers_.moduli, buffers_.moduli_count, strip, terms, scales, to, rounding);
    } else {
      kernels::left_residues<T>(exec, buffers_.moduli, buffers_.moduli_count, strip, terms, scales, to, {}, 0,
                                rounding);
    }
    if (kernels::planes_per_modulus<T> == 1 || !conjugated) return;
    const auto rows = static_cast<std::int64_t>(strip.extent(transposed ? 1 : 0));
    const auto length = terms.position(static_cast<std::int64_t>(strip.extent(transposed ? 0 : 1)));
    kernels::conjugate_residues(exec, buffers_.moduli, buffers_.moduli_count, rows, length, to, to);
  }

  void multiply(const Block& block, std::int64_t begin, std::int64_t depth) {
    const auto from = [begin](kernels::Residues residues, LocalIndex row) {
      residues.data += row.value * residues.row + begin;
      return residues;
    };
    kernels::multiply_residues(queue_, buffers_.planes(), block.rows(), block.columns(), depth,
                               from(buffers_.row_residues, block.row_begin),
                               from(buffers_.column_residues, block.column_begin), products_of(block), summed_ > 0);
    if (!blocks_.keeps()) add_to_matrix(block);
    if (!transfers_.idle()) transfers_.progress();
  }

  void add_to_matrix(const Block& block) {
    const kernels::Unscale unscale{buffers_.of_rows.down + block.row_begin.value,
                                   buffers_.of_columns.down + block.column_begin.value};
    kernels::add_products<T>(queue_.exec(), buffers_.moduli, buffers_.moduli_count, products_of(block), unscale, alpha_,
                             matrix_.view(block.row_begin, block.row_end, block.column_begin, block.column_end));
  }

  kernels::ResidueProducts products_of(const Block& block) const {
    return {buffers_.products + block.products, block.leading_dimension(), block.plane()};
  }

  kernels::Queue<Exec>& queue_;
  Buffers buffers_;
  double alpha_;
  ShardedMatrix<T, MemorySpace>& matrix_;
  Transfers<Exec>& transfers_;
  GramBlocks<MemorySpace> blocks_;
  std::int64_t summed_ = 0;  // the terms whose products are kept, with padding
};

}  // namespace tessera::detail

// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/assemble/gram_kernels.hpp"
#include "core/assemble/gram_memory.hpp"
#include "core/exchange/rank_sum.hpp"
#include "core/exchange/transfers.hpp"
#include "kernels/line_sums.hpp"
#include "tessera/detail/strided.hpp"

#include <Kokkos_Core.hpp>

#include <cmath>
#include <cstdint>

namespace tessera::detail {

/// to[i] = from[i] * factor
template <class W>
struct Scale {
  const W* from;
  double factor;
  W* to;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const { to[i] = from[i] * factor; }
};

/// Takes a chunk of `count` terms with these means, after `before` others, into the running means: X X^H over all
/// of them is that over each part, less its own means, and that of the mover (Chan, Golub, LeVeque, Algorithms for
/// computing the sample variance, Am. Stat. 37 (1983), eq. 2.1b).
template <class W>
struct MoveMean {
  W* row_mean;
  W* running_mean;
  W* mover;
  double count;
  double weight;  // sqrt(before * count / (before + count))
  double step;    // count / (before + count)

  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    row_mean[i] = row_mean[i] / count;  // which was a sum
    const W distance = row_mean[i] - running_mean[i];
    mover[i] = distance * weight;
    running_mean[i] += distance * step;
  }
};

/// mover = (running mean - mean of all) * weight
template <class W>
struct MergeMean {
  const W* running_mean;
  const W* mean;
  W* mover;
  double weight;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const { mover[i] = (running_mean[i] - mean[i]) * weight; }
};

/// The means that are subtracted from X: of each of its columns, or terms, at once, and of each of its rows over the
/// terms so far, with one more term for each chunk that moves the rows' mean (see MoveMean).
template <class T, class Exec>
class GramMeans {
 public:
  using MemorySpace = typename Exec::memory_space;
  using Wide = kernels::Wide<T>;

  GramMeans(const Exec& exec, const GramChunks& chunks, const ProcessGrid& grid, const GramBuffers<T, Exec>& buffers,
            Transfers<Exec>& transfers)
      : exec_(exec), chunks_(chunks), grid_(grid), buffers_(buffers), transfers_(transfers) {}

  /// Before the first chunk, each time.
  void begin() {
    if (chunks_.row_means()) {
      fill("tessera::gram::no_mean", exec_, buffers_.running_mean, chunks_.rows_of(grid_.rank()), Wide(0));
    }
  }

  /// How to centre this rank's piece of a chunk, which is `window` of J; none counts as zeros. Where ranks have rows of
  /// X and terms have a mean, and for a merge, all ranks call it.
  Centring<T> of(const Strided<const T>& window, std::int64_t chunk, const GramChunks::Piece& piece) {
    Centring<T> centring;
    centring.own_terms = piece.own_terms();
    if (chunks_.is_merge(chunk)) {
      merge();
      centring.mover = buffers_.mover;
      return centring;
    }
    const kernels::Lines<T> rows = rows_of_x(window);
    if (chunks_.term_means()) {
      const kernels::Lines<T> terms{rows.data, rows.length, rows.stride, rows.count, rows.line_stride};
      kernels::line_sums<T>("tessera::gram::line_sums", exec_, terms, nullptr, buffers_.term_mean);
      if (chunks_.sharded_rows()) sum(buffers_.term_mean, piece.own_terms(), window.data != nullptr);
      for_each(piece.own_terms(), "tessera::gram::line_mean",
               Scale<Wide>{buffers_.term_mean, 1 / static_cast<double>(chunks_.rows()), buffers_.term_mean});
      centring.term_mean = buffers_.term_mean;
    }
    if (chunks_.row_means()) {
      kernels::line_sums<T>("tessera::gram::row_sums", exec_, rows, centring.term_mean, buffers_.row_mean);
      const auto before = static_cast<double>(piece.begin);
      const auto count = static_cast<double>(piece.own_terms());
      for_each(rows.count, "tessera::gram::move_mean",
               MoveMean<Wide>{buffers_.row_mean, buffers_.running_mean, buffers_.mover, count,
                              std::sqrt(before * count / (before + count)), count / (before + count)});
      centring.row_mean = buffers_.row_mean;
      centring.mover = buffers_.mover;
    }
    return centring;
  }

 private:
  kernels::Lines<T> rows_of_x(const Strided<const T>& window) const {
    const int row = chunks_.sharded_rows() ? 0 : 1;  // of the window's dimensions
    return {window.data, window.extent[row], window.stride[row], window.extent[1 - row], window.stride[1 - row]};
  }

  /// Each rank has centred its own samples; all of them are by one more term for each rank, its mean's distance from
  /// that of all, times the root of how many it has.
  void merge() {
    const std::int64_t own = chunks_.samples_of(grid_.rank());
    const std::int64_t rows = chunks_.rows();
    const double part = static_cast<double>(own) / static_cast<double>(chunks_.samples());
    for_each(rows, "tessera::gram::weigh_mean", Scale<Wide>{buffers_.running_mean, part, buffers_.row_mean});
    sum(buffers_.row_mean, rows, true);
    for_each(
        rows, "tessera::gram::merge_mean",
        MergeMean<Wide>{buffers_.running_mean, buffers_.row_mean, buffers_.mover, std::sqrt(static_cast<double>(own))});
  }

  /// `values` become their sums over the ranks; a rank that does not have some has zeros.
  void sum(Wide* values, std::int64_t count, bool has_some) {
    if (grid_.size() == 1) return;
    if (!has_some) fill("tessera::gram::no_sums", exec_, values, count, Wide(0));
    sum_over_ranks(exec_, grid_, transfers_, reinterpret_cast<double*>(values),
                   count * GramBuffers<T, Exec>::doubles_of_wide, buffers_.sums);
  }

  template <class Functor>
  void for_each(std::int64_t count, const char* label, const Functor& functor) {
    if (count == 0) return;
    Kokkos::parallel_for(label, Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec_, 0, count), functor);
  }

  Exec exec_;
  const GramChunks& chunks_;
  const ProcessGrid& grid_;
  const GramBuffers<T, Exec>& buffers_;
  Transfers<Exec>& transfers_;
};

}  // namespace tessera::detail

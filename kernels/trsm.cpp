// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/backend.hpp"
#include "kernels/blas.hpp"
#include "kernels/block_inverse.hpp"
#include "kernels/compat.hpp"
#include "kernels/halves.hpp"
#include "kernels/instantiate.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace tessera::kernels {

namespace {

/// Columns that are solved for at once; what is between them is gemm, at which a host's BLAS is faster than at trsm.
template <class T, class Exec>
constexpr std::int64_t columns_at_once() {
  if constexpr (is_host<Exec>) {
    return BlockInverse<T, typename Exec::memory_space>::most_rows;
  } else {
    return TileKernels<Exec>::template columns<T>;
  }
}

constexpr std::size_t worth_inverse = 96;  // vectors that are solved for

/// The columns of b that are not all finite, which products would spread over rows that substitution does not reach.
template <class T, class Exec>
class UnusualColumns {
 public:
  using B = MatrixView<T, typename Exec::memory_space>;

  explicit UnusualColumns(const B& b) {
    for (std::size_t j = 0; j < b.extent(1); ++j) {
      const T* const column = &b(0, j);
      if (is_finite(column, b.extent(0))) continue;
      columns_.push_back(static_cast<std::int64_t>(j));
      numbers_.insert(numbers_.end(), column, column + b.extent(0));
    }
  }

  /// Makes them of b as they were, and solves for them.
  void solve(Queue<Exec>& queue, Op op, const MatrixView<const T, typename Exec::memory_space>& l, const B& b) const {
    const auto n = static_cast<std::int64_t>(b.extent(0));
    for (std::size_t k = 0; k < columns_.size(); ++k) {
      const B column = block(b, 0, n, columns_[k], columns_[k] + 1);
      std::copy_n(numbers_.data() + k * b.extent(0), n, column.data());
      compat::trsm<T>(queue.exec(), T(1), "L", blas_name(op), l, column);
    }
  }

 private:
  /// x - x is zero, or a NaN where x is not finite. Some sums side by side: a compiler must not reorder one.
  static bool is_finite(const T* column, std::size_t rows) {
    using Real = detail::RealOf<T>;
    constexpr std::size_t lanes = 16;
    const auto* const numbers = reinterpret_cast<const Real*>(column);
    const std::size_t count = rows * (sizeof(T) / sizeof(Real));
    Real sums[lanes] = {};
    std::size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      for (std::size_t k = 0; k < lanes; ++k) sums[k] += numbers[i + k] - numbers[i + k];
    }
    for (; i < count; ++i) sums[0] += numbers[i] - numbers[i];
    return std::accumulate(sums, sums + lanes, Real(0)) == 0;
  }

  std::vector<std::int64_t> columns_;
  std::vector<T> numbers_;
};

/// alpha times the solution for one block on the host's diagonal and so many vectors: by its inverse, where it is worth
/// one and that is accurate.
template <class T, class Exec>
void solve_block(Queue<Exec>& queue, T alpha, const char* side, Op op,
                 const MatrixView<const T, typename Exec::memory_space>& l,
                 const MatrixView<T, typename Exec::memory_space>& b, std::size_t vectors) {
  if (vectors >= worth_inverse) {
    const BlockInverse<T, typename Exec::memory_space> inverse(l);
    if (inverse.is_accurate()) return compat::trmm<T>(queue.exec(), alpha, side, blas_name(op), inverse.view(), b);
  }
  compat::trsm<T>(queue.exec(), alpha, side, blas_name(op), l, b);
}

/// One half, its product with the other half's rows, that half.
template <class T, class Exec>
void trsm_left_by_halves(Queue<Exec>& queue, Op op, const MatrixView<const T, typename Exec::memory_space>& l,
                         const MatrixView<T, typename Exec::memory_space>& b) {
  constexpr std::int64_t most = columns_at_once<T, Exec>();
  const auto n = static_cast<std::int64_t>(l.extent(0));
  if (n <= most) return solve_block<T>(queue, T(1), "L", op, l, b, b.extent(1));
  const std::int64_t h = half_of(n, most);
  const auto upper = block(b, 0, h, 0, static_cast<std::int64_t>(b.extent(1)));
  const auto lower = block(b, h, n, 0, static_cast<std::int64_t>(b.extent(1)));
  const auto below = block(l, h, n, 0, h);
  if (op == Op::none) {
    trsm_left_by_halves<T>(queue, op, block(l, 0, h, 0, h), upper);
    gemm<T>(queue, T(-1), op, below, Op::none, upper, T(1), lower);
    trsm_left_by_halves<T>(queue, op, block(l, h, n, h, n), lower);
  } else {
    trsm_left_by_halves<T>(queue, op, block(l, h, n, h, n), lower);
    gemm<T>(queue, T(-1), op, below, Op::none, lower, T(1), upper);
    trsm_left_by_halves<T>(queue, op, block(l, 0, h, 0, h), upper);
  }
}

}  // namespace

template <class T, class Exec>
void trsm_right(Queue<Exec>& queue, const MatrixView<const T, typename Exec::memory_space>& l,
                const MatrixView<T, typename Exec::memory_space>& b) {
  if (b.size() == 0) return;
  constexpr std::int64_t step = columns_at_once<T, Exec>();
  const auto n = static_cast<std::int64_t>(l.extent(0));
  const auto m = static_cast<std::int64_t>(b.extent(0));
  for (std::int64_t j = 0; j < n; j += step) {
    const std::int64_t end = std::min(j + step, n);
    const auto diagonal = block(l, j, end, j, end);
    const auto w = block(b, 0, m, j, end);
    if constexpr (is_host<Exec>) {
      solve_block<T>(queue, T(1), "R", Op::conj_transpose, diagonal, w, w.extent(0));
    } else {
      TileKernels<Exec>::template trsm_right<T>(queue.exec(), diagonal, w);
    }
    if (end < n) {
      gemm<T>(queue, T(-1), Op::none, w, Op::conj_transpose, block(l, end, n, j, end), T(1), block(b, 0, m, end, n));
    }
  }
}

template <class T, class Exec>
void negative_trsm_right(Queue<Exec>& queue, const MatrixView<const T, typename Exec::memory_space>& l,
                         const MatrixView<T, typename Exec::memory_space>& b) {
  if (b.size() == 0) return;
  constexpr std::int64_t most = columns_at_once<T, Exec>();
  const auto n = static_cast<std::int64_t>(l.extent(0));
  const auto m = static_cast<std::int64_t>(b.extent(0));
  if (n <= most) {
    if constexpr (is_host<Exec>) {
      return solve_block<T>(queue, T(-1), "R", Op::none, l, b, b.extent(0));
    } else {
      return TileKernels<Exec>::template negative_trsm_right<T>(queue.exec(), l, b);
    }
  }
  const std::int64_t h = half_of(n, most);
  const auto left = block(b, 0, m, 0, h);
  const auto right = block(b, 0, m, h, n);
  negative_trsm_right<T>(queue, block(l, h, n, h, n), right);
  gemm<T>(queue, T(1), Op::none, right, Op::none, block(l, h, n, 0, h), T(1), left);
  negative_trsm_right<T>(queue, block(l, 0, h, 0, h), left);
}

template <class T, class Exec>
void trsm_left(Queue<Exec>& queue, Op op, const MatrixView<const T, typename Exec::memory_space>& l,
               const MatrixView<T, typename Exec::memory_space>& b) {
  if (b.size() == 0) return;
  if constexpr (is_host<Exec>) {
    if (b.extent(1) >= worth_inverse) {
      const UnusualColumns<T, Exec> unusual(b);
      trsm_left_by_halves<T>(queue, op, l, b);
      return unusual.solve(queue, op, l, b);
    }
  }
  compat::trsm<T>(queue.exec(), T(1), "L", blas_name(op), l, b);
}

#define TESSERA_INSTANTIATE_TRSM(T, Exec)                                                                           \
  template void trsm_right<T, Exec>(Queue<Exec>&, const MatrixView<const T, typename Exec::memory_space>&,          \
                                    const MatrixView<T, typename Exec::memory_space>&);                             \
  template void negative_trsm_right<T, Exec>(Queue<Exec>&, const MatrixView<const T, typename Exec::memory_space>&, \
                                             const MatrixView<T, typename Exec::memory_space>&);                    \
  template void trsm_left<T, Exec>(Queue<Exec>&, Op, const MatrixView<const T, typename Exec::memory_space>&,       \
                                   const MatrixView<T, typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_TRSMS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_TRSM, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_TRSMS)

}  // namespace tessera::kernels

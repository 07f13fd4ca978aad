// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/backend.hpp"
#include "kernels/blas.hpp"
#include "kernels/block_inverse.hpp"
#include "kernels/compat.hpp"
#include "kernels/instantiate.hpp"

#include <algorithm>

namespace tessera::kernels {

namespace {

/// Columns that are solved for at once; what is between them is gemm, at which a host's BLAS is faster than at trsm.
template <class T, class Exec>
constexpr std::int64_t columns_at_once() {
  if constexpr (is_host<Exec>) {
    return 64;
  } else {
    return TileKernels<Exec>::template columns<T>;
  }
}

constexpr std::size_t worth_inverses = 96;  // right-hand sides

/// One half, its product with the other half's rows, that half; down to blocks that are inverted, where that is safe.
template <class T, class Exec>
void trsm_left_by_halves(Queue<Exec>& queue, Op op, const MatrixView<const T, typename Exec::memory_space>& l,
                         const MatrixView<T, typename Exec::memory_space>& b) {
  using Inverse = BlockInverse<T, typename Exec::memory_space>;
  constexpr std::int64_t most = Inverse::most_rows;
  const auto n = static_cast<std::int64_t>(l.extent(0));
  if (n <= most) {
    const Inverse inverse(l);
    if (inverse.is_accurate()) return trmm_left<T>(queue, op, inverse.view(), b);
    return compat::trsm<T>(queue.exec(), "L", blas_name(op), l, b);
  }
  const std::int64_t h = (n / 2 + most - 1) / most * most;
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
      compat::trsm<T>(queue.exec(), "R", "C", diagonal, w);
    } else {
      TileKernels<Exec>::template trsm_right<T>(queue.exec(), diagonal, w);
    }
    if (end < n) {
      gemm<T>(queue, T(-1), Op::none, w, Op::conj_transpose, block(l, end, n, j, end), T(1), block(b, 0, m, end, n));
    }
  }
}

template <class T, class Exec>
void trsm_left(Queue<Exec>& queue, Op op, const MatrixView<const T, typename Exec::memory_space>& l,
               const MatrixView<T, typename Exec::memory_space>& b) {
  if (b.size() == 0) return;
  if constexpr (is_host<Exec>) {
    if (b.extent(1) >= worth_inverses) return trsm_left_by_halves<T>(queue, op, l, b);
  }
  compat::trsm<T>(queue.exec(), "L", blas_name(op), l, b);
}

#define TESSERA_INSTANTIATE_TRSM(T, Exec)                                                                     \
  template void trsm_right<T, Exec>(Queue<Exec>&, const MatrixView<const T, typename Exec::memory_space>&,    \
                                    const MatrixView<T, typename Exec::memory_space>&);                       \
  template void trsm_left<T, Exec>(Queue<Exec>&, Op, const MatrixView<const T, typename Exec::memory_space>&, \
                                   const MatrixView<T, typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_TRSMS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_TRSM, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_TRSMS)

}  // namespace tessera::kernels

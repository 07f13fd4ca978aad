// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/blas.hpp"
#include "kernels/halves.hpp"
#include "kernels/op.hpp"
#include "kernels/queue.hpp"
#include "tessera/matrix_view.hpp"

#include <cstdint>

namespace tessera::kernels {

/// herk by recursion over gemm: a square of C on the diagonal of at most so many rows is `of_square(part of A,
/// square)`.
template <class T, class Exec, class OfSquare>
void herk_by_halves(Queue<Exec>& queue, T alpha, Op op, const MatrixView<const T, typename Exec::memory_space>& a,
                    T beta, const MatrixView<T, typename Exec::memory_space>& c, std::int64_t most,
                    const OfSquare& of_square) {
  const auto n = static_cast<std::int64_t>(c.extent(0));
  if (n <= most) return of_square(a, c);
  const std::int64_t half = half_of(n, most);
  const auto rows = [&](std::int64_t begin, std::int64_t end) {
    return op == Op::none ? block(a, begin, end, 0, static_cast<std::int64_t>(a.extent(1)))
                          : block(a, 0, static_cast<std::int64_t>(a.extent(0)), begin, end);
  };
  const auto upper = rows(0, half);
  const auto lower = rows(half, n);
  const Op other = op == Op::none ? Op::conj_transpose : Op::none;
  herk_by_halves<T>(queue, alpha, op, upper, beta, block(c, 0, half, 0, half), most, of_square);
  gemm<T>(queue, alpha, op, lower, other, upper, beta, block(c, half, n, 0, half));
  herk_by_halves<T>(queue, alpha, op, lower, beta, block(c, half, n, half, n), most, of_square);
}

}  // namespace tessera::kernels

// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/op.hpp"
#include "kernels/queue.hpp"
#include "tessera/matrix_view.hpp"

#include <cstdint>

// BLAS on one rank's own Views, enqueued on a queue. The operands of one call do not overlap.
namespace tessera::kernels {

/// C = alpha op(A) op(B) + beta C, with beta 0 (C is not read) or 1; an empty A and B count as zero.
template <class T, class Exec>
void gemm(Queue<Exec>& queue, T alpha, Op op_a, const MatrixView<const T, typename Exec::memory_space>& a, Op op_b,
          const MatrixView<const T, typename Exec::memory_space>& b, T beta,
          const MatrixView<T, typename Exec::memory_space>& c);

/// C = alpha op(A) op(A)^H + beta C on the lower triangle of C; alpha is real, beta 0 or 1. Above the diagonal C may
/// change.
template <class T, class Exec>
void herk(Queue<Exec>& queue, T alpha, Op op, const MatrixView<const T, typename Exec::memory_space>& a, T beta,
          const MatrixView<T, typename Exec::memory_space>& c);

/// herk by recursion over gemm, for a device whose own is slow.
template <class T, class Exec>
void herk_by_gemm(Queue<Exec>& queue, T alpha, Op op, const MatrixView<const T, typename Exec::memory_space>& a, T beta,
                  const MatrixView<T, typename Exec::memory_space>& c);

/// B = B L^-H, with L lower triangular.
template <class T, class Exec>
void trsm_right(Queue<Exec>& queue, const MatrixView<const T, typename Exec::memory_space>& l,
                const MatrixView<T, typename Exec::memory_space>& b);

/// B = -B L^-1, with L lower triangular.
template <class T, class Exec>
void negative_trsm_right(Queue<Exec>& queue, const MatrixView<const T, typename Exec::memory_space>& l,
                         const MatrixView<T, typename Exec::memory_space>& b);

/// B = L^-1 B, or L^-H B; on a device Substitution is faster.
template <class T, class Exec>
void trsm_left(Queue<Exec>& queue, Op op, const MatrixView<const T, typename Exec::memory_space>& l,
               const MatrixView<T, typename Exec::memory_space>& b);

/// B = L B, or L^H B; above its diagonal L is not read.
template <class T, class Exec>
void trmm_left(Queue<Exec>& queue, Op op, const MatrixView<const T, typename Exec::memory_space>& l,
               const MatrixView<T, typename Exec::memory_space>& b);

}  // namespace tessera::kernels

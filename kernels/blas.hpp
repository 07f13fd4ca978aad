#pragma once

#include "kernels/queue.hpp"
#include "tessera/matrix_view.hpp"

#include <cstdint>

// BLAS on one rank's own Views, enqueued on a queue. The operands of one call do not overlap.
namespace tessera::kernels {

enum class Op { none, conj_transpose };

/// Columns of the diagonal blocks whose inverses are kept: what one team factors in scratch memory, Kokkos's 48 KiB.
inline constexpr std::int64_t potrf_block = 64;

/// C = alpha op(A) op(B) + beta C, with beta 0 (C is not read) or 1; an empty A and B count as zero.
template <class T, class Exec>
void gemm(Queue<Exec>& queue, T alpha, Op op_a, const MatrixView<const T, typename Exec::memory_space>& a, Op op_b,
          const MatrixView<const T, typename Exec::memory_space>& b, T beta,
          const MatrixView<T, typename Exec::memory_space>& c);

/// C = alpha A B for `count` products, the views being those of the first: A, B and C of the next one are each so many
/// rows and columns further on, or, where that is 0, follow without a gap.
template <class T, class Exec>
void gemm_batched(Queue<Exec>& queue, T alpha, const MatrixView<const T, typename Exec::memory_space>& a,
                  std::int64_t step_a, const MatrixView<const T, typename Exec::memory_space>& b, std::int64_t step_b,
                  const MatrixView<T, typename Exec::memory_space>& c, std::int64_t step_c, std::int64_t count);

/// C = alpha A A^H + beta C on the lower triangle of C; alpha is real, beta 0 or 1. Above the diagonal C may change.
template <class T, class Exec>
void herk(Queue<Exec>& queue, T alpha, const MatrixView<const T, typename Exec::memory_space>& a, T beta,
          const MatrixView<T, typename Exec::memory_space>& c);

/// herk by recursion over gemm, for a device whose own is slow.
template <class T, class Exec>
void herk_by_gemm(Queue<Exec>& queue, T alpha, const MatrixView<const T, typename Exec::memory_space>& a, T beta,
                  const MatrixView<T, typename Exec::memory_space>& c);

enum class Side { left, right };

/// B = L^-1 B (left, none), L^-H B (left, conj_transpose) or B L^-H (right, conj_transpose), with L lower triangular.
/// `inverses` are those of L's diagonal blocks as potrf leaves them.
template <class T, class Exec>
void trsm(Queue<Exec>& queue, Side side, Op op, const MatrixView<const T, typename Exec::memory_space>& l,
          const MatrixView<const T, typename Exec::memory_space>& inverses,
          const MatrixView<T, typename Exec::memory_space>& b);

/// trsm for a device, block by block: with R what is left of a part of B, and X the inverse of L's diagonal block,
/// W = X R is corrected once, W += X (R - L W), which makes it as accurate as substitution; likewise for the other two.
template <class T, class Exec>
void trsm_by_inverses(Queue<Exec>& queue, Side side, Op op, const MatrixView<const T, typename Exec::memory_space>& l,
                      const MatrixView<const T, typename Exec::memory_space>& inverses,
                      const MatrixView<T, typename Exec::memory_space>& b);

}  // namespace tessera::kernels

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

/// trsm by gemm, block by block: with R what is left of a block of B, and X the inverse of L's diagonal block, W = X R
/// is corrected once, W += X (R - L W), which makes it as accurate as substitution; likewise for the other two.
template <class T, class Exec>
void trsm_by_gemm(Queue<Exec>& queue, Side side, Op op, const MatrixView<const T, typename Exec::memory_space>& l,
                  const MatrixView<const T, typename Exec::memory_space>& inverses,
                  const MatrixView<T, typename Exec::memory_space>& b);

/// Elements of workspace that trsm_by_gemm takes for `vectors` rows (right) or columns (left) of B, and trsm in the
/// memory of `Exec`.
constexpr std::int64_t trsm_by_gemm_workspace(std::int64_t vectors) { return vectors * potrf_block; }
template <class Exec>
constexpr std::int64_t trsm_workspace(std::int64_t vectors) {
  return on_host<Exec> ? 0 : trsm_by_gemm_workspace(vectors);
}

}  // namespace tessera::kernels

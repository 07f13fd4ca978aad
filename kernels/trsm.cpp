#include "kernels/blas.hpp"
#include "kernels/compat.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"

#include <algorithm>

namespace tessera::kernels {
namespace {

/// C = alpha A op(B) + beta C, or C = alpha op(B) A + beta C: B on the side on which L stands.
template <class T, class Exec>
void multiply(Queue<Exec>& queue, Side side, T alpha, const MatrixView<const T, typename Exec::memory_space>& a, Op op,
              const MatrixView<const T, typename Exec::memory_space>& b, T beta,
              const MatrixView<T, typename Exec::memory_space>& c) {
  if (side == Side::left) {
    gemm<T>(queue, alpha, op, b, Op::none, a, beta, c);
  } else {
    gemm<T>(queue, alpha, Op::none, a, op, b, beta, c);
  }
}

}  // namespace

template <class T, class Exec>
void trsm_by_gemm(Queue<Exec>& queue, Side side, Op op, const MatrixView<const T, typename Exec::memory_space>& l,
                  const MatrixView<const T, typename Exec::memory_space>& inverses,
                  const MatrixView<T, typename Exec::memory_space>& b) {
  using Space = typename Exec::memory_space;
  const auto n = static_cast<std::int64_t>(l.extent(0));
  const auto vectors = static_cast<std::int64_t>(b.extent(side == Side::left ? 1 : 0));
  if (vectors == 0) return;
  const auto part = [&](std::int64_t begin, std::int64_t end) {
    return side == Side::left ? block(b, begin, end, 0, vectors) : block(b, 0, vectors, begin, end);
  };
  // L^-H from the left goes from the last block to the first.
  const bool backward = side == Side::left && op == Op::conj_transpose;
  const std::int64_t blocks = (n + potrf_block - 1) / potrf_block;
  for (std::int64_t step = 0; step < blocks; ++step) {
    const std::int64_t j = (backward ? blocks - 1 - step : step) * potrf_block;
    const std::int64_t end = std::min(j + potrf_block, n);
    const std::int64_t size = end - j;
    const auto x = block(inverses, j, end, 0, size);
    const auto w = part(j, end);
    const auto r = side == Side::left ? make_matrix_view<Space>(queue.template workspace<T>(), size, vectors, size)
                                      : make_matrix_view<Space>(queue.template workspace<T>(), vectors, size, vectors);
    copy<T>(queue, w, r);
    multiply<T>(queue, side, T(1), r, op, x, T(0), w);                          // W = X R
    multiply<T>(queue, side, T(-1), w, op, block(l, j, end, j, end), T(1), r);  // R -= L(j,j) W
    multiply<T>(queue, side, T(1), r, op, x, T(1), w);                          // W += X R
    if (backward) {
      multiply<T>(queue, side, T(-1), w, op, block(l, j, end, 0, j), T(1), part(0, j));  // B(0:j) -= L(j,0:j)^H W
    } else {
      multiply<T>(queue, side, T(-1), w, op, block(l, end, n, j, end), T(1), part(end, n));  // B(j+1:) -= L(j+1:,j) W
    }
  }
}

template <class T, class Exec>
void trsm(Queue<Exec>& queue, Side side, Op op, const MatrixView<const T, typename Exec::memory_space>& l,
          [[maybe_unused]] const MatrixView<const T, typename Exec::memory_space>& inverses,
          const MatrixView<T, typename Exec::memory_space>& b) {
  if (b.size() == 0) return;
  if constexpr (on_host<Exec>) {
    compat::trsm<T>(queue.exec(), side == Side::left ? "L" : "R", op == Op::none ? "N" : "C", l, b);
  } else {
    trsm_by_gemm<T>(queue, side, op, l, inverses, b);
  }
}

#define TESSERA_INSTANTIATE_ONE_TRSM(name, T, Exec)                                                            \
  template void name<T, Exec>(Queue<Exec>&, Side, Op, const MatrixView<const T, typename Exec::memory_space>&, \
                              const MatrixView<const T, typename Exec::memory_space>&,                         \
                              const MatrixView<T, typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_TRSM(T, Exec)     \
  TESSERA_INSTANTIATE_ONE_TRSM(trsm, T, Exec) \
  TESSERA_INSTANTIATE_ONE_TRSM(trsm_by_gemm, T, Exec)
#define TESSERA_INSTANTIATE_TRSMS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_TRSM, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_TRSMS)

}  // namespace tessera::kernels

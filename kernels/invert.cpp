#include "kernels/invert.hpp"

#include "kernels/blas.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"

#include <algorithm>

namespace tessera::kernels {
namespace {

/// A block-diagonal X of the blocks that stand one below the other, and zeros above the diagonal of L.
template <class T, class Space>
struct Spread {
  MatrixView<const T, Space> blocks;
  MatrixView<T, Space> x;
  MatrixView<T, Space> l;
  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t j) const {
    x(i, j) = i / potrf_block == j / potrf_block ? blocks(i, j % potrf_block) : T(0);
    if (i < j) l(i, j) = T(0);
  }
};

}  // namespace

template <class T, class Exec>
void invert(Queue<Exec>& queue, const MatrixView<T, typename Exec::memory_space>& l,
            const MatrixView<const T, typename Exec::memory_space>& inverses,
            const MatrixView<T, typename Exec::memory_space>& x, T* workspace) {
  using Space = typename Exec::memory_space;
  const auto n = static_cast<std::int64_t>(l.extent(0));
  for_each<T>("tessera::invert::spread", queue.exec(), x, Spread<T, Space>{inverses, x, l});
  // Rows [begin + h, end) of `count` pairs at once, each with the columns [begin, begin + h).
  const auto join = [&](std::int64_t begin, std::int64_t h, std::int64_t end, std::int64_t count) {
    const std::int64_t middle = begin + h;
    const std::int64_t step = 2 * h;
    const auto product = make_matrix_view<Space>(workspace, end - middle, h, end - middle);
    gemm_batched<T>(queue, T(1), block(l, middle, end, begin, middle), step, block(x, begin, middle, begin, middle),
                    step, product, 0, count);
    gemm_batched<T>(queue, T(-1), block(x, middle, end, middle, end), step, product, 0,
                    block(x, middle, end, begin, middle), step, count);
  };
  for (std::int64_t h = potrf_block; h < n; h *= 2) {
    const std::int64_t pairs = n / (2 * h);
    const std::int64_t rest = pairs * 2 * h;
    if (pairs > 0) join(0, h, 2 * h, pairs);
    if (rest + h < n) join(rest, h, n, 1);
  }
}

template <class T, class Exec>
void solve_by_inverse(Queue<Exec>& queue, Op op, const MatrixView<const T, typename Exec::memory_space>& l,
                      const MatrixView<const T, typename Exec::memory_space>& x,
                      const MatrixView<T, typename Exec::memory_space>& b,
                      const MatrixView<T, typename Exec::memory_space>& y, T* workspace) {
  const auto rows = static_cast<std::int64_t>(y.extent(0));
  const auto d = make_matrix_view<typename Exec::memory_space>(workspace, rows, static_cast<std::int64_t>(y.extent(1)),
                                                               std::max<std::int64_t>(1, rows));
  gemm<T>(queue, T(1), op, x, Op::none, b, T(0), y);   // Y = X B
  gemm<T>(queue, T(-1), op, l, Op::none, y, T(1), b);  // B -= L Y
  gemm<T>(queue, T(1), op, x, Op::none, b, T(0), d);   // D = X B
  gemm<T>(queue, T(-1), op, l, Op::none, d, T(1), b);  // B -= L D
  gemm<T>(queue, T(1), op, x, Op::none, b, T(1), d);   // D += X B
  add<T>(queue.exec(), d, y);                          // Y += D
}

#define TESSERA_INSTANTIATE_INVERT(T, Exec)                                                                          \
  template void invert<T, Exec>(Queue<Exec>&, const MatrixView<T, typename Exec::memory_space>&,                     \
                                const MatrixView<const T, typename Exec::memory_space>&,                             \
                                const MatrixView<T, typename Exec::memory_space>&, T*);                              \
  template void solve_by_inverse<T, Exec>(Queue<Exec>&, Op, const MatrixView<const T, typename Exec::memory_space>&, \
                                          const MatrixView<const T, typename Exec::memory_space>&,                   \
                                          const MatrixView<T, typename Exec::memory_space>&,                         \
                                          const MatrixView<T, typename Exec::memory_space>&, T*);
#define TESSERA_INSTANTIATE_INVERTS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_INVERT, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_INVERTS)

}  // namespace tessera::kernels

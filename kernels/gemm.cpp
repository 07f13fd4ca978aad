// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/blas.hpp"
#include "kernels/compat.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"

namespace tessera::kernels {
namespace {

template <class View>
auto column(const View& a, std::int64_t j) {
  return Kokkos::subview(a, Kokkos::ALL(), j);
}

}  // namespace

template <class T, class Exec>
void gemm(Queue<Exec>& queue, T alpha, Op op_a, const MatrixView<const T, typename Exec::memory_space>& a, Op op_b,
          const MatrixView<const T, typename Exec::memory_space>& b, T beta,
          const MatrixView<T, typename Exec::memory_space>& c) {
  if (c.size() == 0) return;
  if (a.size() == 0) {
    if (beta == T(0)) set_zero<T>(queue.exec(), c);
    return;
  }
  if constexpr (!is_host<Exec>) {
    const auto stride = [](const auto& view) { return static_cast<std::int64_t>(view.stride(1)); };
    const auto k = static_cast<std::int64_t>(a.extent(op_a == Op::none ? 1 : 0));
    queue.blas().gemm(*blas_name(op_a), *blas_name(op_b), static_cast<std::int64_t>(c.extent(0)),
                      static_cast<std::int64_t>(c.extent(1)), k, alpha, a.data(), stride(a), b.data(), stride(b), beta,
                      c.data(), stride(c));
  } else if (c.extent(1) == 1 && op_b == Op::none) {  // a BLAS's gemm packs even a single column
    compat::gemv<T>(queue.exec(), blas_name(op_a), alpha, a, column(b, 0), beta, column(c, 0));
  } else {
    compat::gemm<T>(queue.exec(), blas_name(op_a), blas_name(op_b), alpha, a, b, beta, c);
  }
}

#define TESSERA_INSTANTIATE_GEMM(T, Exec)                                                                       \
  template void gemm<T, Exec>(Queue<Exec>&, T, Op, const MatrixView<const T, typename Exec::memory_space>&, Op, \
                              const MatrixView<const T, typename Exec::memory_space>&, T,                       \
                              const MatrixView<T, typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_GEMMS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_GEMM, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_GEMMS)

}  // namespace tessera::kernels

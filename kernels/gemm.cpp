#include "kernels/blas.hpp"
#include "kernels/compat.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"

namespace tessera::kernels {
namespace {

constexpr const char* name(Op op) { return op == Op::none ? "N" : "C"; }

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
  if constexpr (VendorBlas<Exec>::has_gemm) {
    const auto stride = [](const auto& view) { return static_cast<std::int64_t>(view.stride(1)); };
    const auto k = static_cast<std::int64_t>(a.extent(op_a == Op::none ? 1 : 0));
    queue.blas().gemm(*name(op_a), *name(op_b), static_cast<std::int64_t>(c.extent(0)),
                      static_cast<std::int64_t>(c.extent(1)), k, alpha, a.data(), stride(a), b.data(), stride(b), beta,
                      c.data(), stride(c));
  } else if (on_host<Exec> && c.extent(1) == 1 && op_b == Op::none) {  // a BLAS's gemm packs even a single column
    compat::gemv<T>(queue.exec(), name(op_a), alpha, a, column(b, 0), beta, column(c, 0));
  } else {
    compat::gemm<T>(queue.exec(), name(op_a), name(op_b), alpha, a, b, beta, c);
  }
}

template <class T, class Exec>
void gemm_batched(Queue<Exec>& queue, T alpha, const MatrixView<const T, typename Exec::memory_space>& a,
                  std::int64_t step_a, const MatrixView<const T, typename Exec::memory_space>& b, std::int64_t step_b,
                  const MatrixView<T, typename Exec::memory_space>& c, std::int64_t step_c, std::int64_t count) {
  using Space = typename Exec::memory_space;
  const auto leading_dimension = [](const auto& view) { return static_cast<std::int64_t>(view.stride(1)); };
  const auto distance = [&](const auto& view, std::int64_t step) {
    return step == 0 ? static_cast<std::int64_t>(view.size()) : step * (leading_dimension(view) + 1);
  };
  const auto rows = static_cast<std::int64_t>(c.extent(0));
  const auto columns = static_cast<std::int64_t>(c.extent(1));
  const auto depth = static_cast<std::int64_t>(a.extent(1));
  if constexpr (VendorBlas<Exec>::has_gemm) {
    queue.blas().gemm_batched(rows, columns, depth, alpha, a.data(), leading_dimension(a), distance(a, step_a),
                              b.data(), leading_dimension(b), distance(b, step_b), c.data(), leading_dimension(c),
                              distance(c, step_c), count);
  } else {
    const auto nth = [&](const auto& view, std::int64_t step, std::int64_t i) {
      return make_matrix_view<Space>(view.data() + i * distance(view, step), static_cast<std::int64_t>(view.extent(0)),
                                     static_cast<std::int64_t>(view.extent(1)), leading_dimension(view));
    };
    for (std::int64_t i = 0; i < count; ++i) {
      gemm<T>(queue, alpha, Op::none, nth(a, step_a, i), Op::none, nth(b, step_b, i), T(0), nth(c, step_c, i));
    }
  }
}

#define TESSERA_INSTANTIATE_GEMM(T, Exec)                                                                            \
  template void gemm<T, Exec>(Queue<Exec>&, T, Op, const MatrixView<const T, typename Exec::memory_space>&, Op,      \
                              const MatrixView<const T, typename Exec::memory_space>&, T,                            \
                              const MatrixView<T, typename Exec::memory_space>&);                                    \
  template void gemm_batched<T, Exec>(Queue<Exec>&, T, const MatrixView<const T, typename Exec::memory_space>&,      \
                                      std::int64_t, const MatrixView<const T, typename Exec::memory_space>&,         \
                                      std::int64_t, const MatrixView<T, typename Exec::memory_space>&, std::int64_t, \
                                      std::int64_t);
#define TESSERA_INSTANTIATE_GEMMS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_GEMM, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_GEMMS)

}  // namespace tessera::kernels

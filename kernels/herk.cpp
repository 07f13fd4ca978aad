// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/blas.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/herk_by_halves.hpp"
#include "kernels/instantiate.hpp"

// Kokkos Kernels has no herk, so the host's BLAS library is called here.
extern "C" {
void ssyrk_(const char* uplo, const char* trans, const int* n, const int* k, const float* alpha, const float* a,
            const int* lda, const float* beta, float* c, const int* ldc);
void dsyrk_(const char* uplo, const char* trans, const int* n, const int* k, const double* alpha, const double* a,
            const int* lda, const double* beta, double* c, const int* ldc);
void cherk_(const char* uplo, const char* trans, const int* n, const int* k, const float* alpha, const void* a,
            const int* lda, const float* beta, void* c, const int* ldc);
void zherk_(const char* uplo, const char* trans, const int* n, const int* k, const double* alpha, const void* a,
            const int* lda, const double* beta, void* c, const int* ldc);
}

namespace tessera::kernels {
namespace {

constexpr std::int64_t gemm_below = 256;  // a square this small is one gemm

void blas_herk(Op op, int n, int k, float alpha, const float* a, int lda, float beta, float* c, int ldc) {
  ssyrk_("L", op == Op::none ? "N" : "T", &n, &k, &alpha, a, &lda, &beta, c, &ldc);
}
void blas_herk(Op op, int n, int k, double alpha, const double* a, int lda, double beta, double* c, int ldc) {
  dsyrk_("L", op == Op::none ? "N" : "T", &n, &k, &alpha, a, &lda, &beta, c, &ldc);
}
void blas_herk(Op op, int n, int k, Kokkos::complex<float> alpha, const Kokkos::complex<float>* a, int lda,
               Kokkos::complex<float> beta, Kokkos::complex<float>* c, int ldc) {
  const float real_alpha = alpha.real();
  const float real_beta = beta.real();
  cherk_("L", blas_name(op), &n, &k, &real_alpha, a, &lda, &real_beta, c, &ldc);
}
void blas_herk(Op op, int n, int k, Kokkos::complex<double> alpha, const Kokkos::complex<double>* a, int lda,
               Kokkos::complex<double> beta, Kokkos::complex<double>* c, int ldc) {
  const double real_alpha = alpha.real();
  const double real_beta = beta.real();
  zherk_("L", blas_name(op), &n, &k, &real_alpha, a, &lda, &real_beta, c, &ldc);
}

}  // namespace

template <class T, class Exec>
void herk_by_gemm(Queue<Exec>& queue, T alpha, Op op, const MatrixView<const T, typename Exec::memory_space>& a, T beta,
                  const MatrixView<T, typename Exec::memory_space>& c) {
  const Op other = op == Op::none ? Op::conj_transpose : Op::none;
  herk_by_halves<T>(queue, alpha, op, a, beta, c, gemm_below, [&](const auto& of_a, const auto& square) {
    gemm<T>(queue, alpha, op, of_a, other, of_a, beta, square);
  });
}

template <class T, class Exec>
void herk(Queue<Exec>& queue, T alpha, Op op, const MatrixView<const T, typename Exec::memory_space>& a, T beta,
          const MatrixView<T, typename Exec::memory_space>& c) {
  if (c.size() == 0) return;
  if constexpr (is_host<Exec>) {
    if (a.size() == 0) {
      if (beta == T(0)) set_zero<T>(queue.exec(), c);
      return;
    }
    blas_herk(op, static_cast<int>(c.extent(0)), static_cast<int>(a.extent(op == Op::none ? 1 : 0)), alpha, a.data(),
              static_cast<int>(a.stride(1)), beta, c.data(), static_cast<int>(c.stride(1)));
  } else {
    herk_by_gemm<T>(queue, alpha, op, a, beta, c);
  }
}

#define TESSERA_INSTANTIATE_HERK(T, Exec)                                                                              \
  template void herk<T, Exec>(Queue<Exec>&, T, Op, const MatrixView<const T, typename Exec::memory_space>&, T,         \
                              const MatrixView<T, typename Exec::memory_space>&);                                      \
  template void herk_by_gemm<T, Exec>(Queue<Exec>&, T, Op, const MatrixView<const T, typename Exec::memory_space>&, T, \
                                      const MatrixView<T, typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_HERKS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_HERK, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_HERKS)

}  // namespace tessera::kernels

#include "kernels/blas.hpp"
#include "kernels/elementwise.hpp"
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

void blas_herk(int n, int k, float alpha, const float* a, int lda, float beta, float* c, int ldc) {
  ssyrk_("L", "N", &n, &k, &alpha, a, &lda, &beta, c, &ldc);
}
void blas_herk(int n, int k, double alpha, const double* a, int lda, double beta, double* c, int ldc) {
  dsyrk_("L", "N", &n, &k, &alpha, a, &lda, &beta, c, &ldc);
}
void blas_herk(int n, int k, Kokkos::complex<float> alpha, const Kokkos::complex<float>* a, int lda,
               Kokkos::complex<float> beta, Kokkos::complex<float>* c, int ldc) {
  const float real_alpha = alpha.real();
  const float real_beta = beta.real();
  cherk_("L", "N", &n, &k, &real_alpha, a, &lda, &real_beta, c, &ldc);
}
void blas_herk(int n, int k, Kokkos::complex<double> alpha, const Kokkos::complex<double>* a, int lda,
               Kokkos::complex<double> beta, Kokkos::complex<double>* c, int ldc) {
  const double real_alpha = alpha.real();
  const double real_beta = beta.real();
  zherk_("L", "N", &n, &k, &real_alpha, a, &lda, &real_beta, c, &ldc);
}

}  // namespace

template <class T, class Exec>
void herk_by_gemm(Queue<Exec>& queue, T alpha, const MatrixView<const T, typename Exec::memory_space>& a, T beta,
                  const MatrixView<T, typename Exec::memory_space>& c) {
  const auto n = static_cast<std::int64_t>(c.extent(0));
  const auto k = static_cast<std::int64_t>(a.extent(1));
  if (n <= gemm_below) {
    gemm<T>(queue, alpha, Op::none, a, Op::conj_transpose, a, beta, c);
    return;
  }
  const std::int64_t half = (n / 2 + gemm_below - 1) / gemm_below * gemm_below;
  const auto upper = block(a, 0, half, 0, k);
  const auto lower = block(a, half, n, 0, k);
  herk_by_gemm<T>(queue, alpha, upper, beta, block(c, 0, half, 0, half));
  gemm<T>(queue, alpha, Op::none, lower, Op::conj_transpose, upper, beta, block(c, half, n, 0, half));
  herk_by_gemm<T>(queue, alpha, lower, beta, block(c, half, n, half, n));
}

template <class T, class Exec>
void herk(Queue<Exec>& queue, T alpha, const MatrixView<const T, typename Exec::memory_space>& a, T beta,
          const MatrixView<T, typename Exec::memory_space>& c) {
  if (c.size() == 0) return;
  if constexpr (on_host<Exec>) {
    if (a.size() == 0) {
      if (beta == T(0)) set_zero<T>(queue.exec(), c);
      return;
    }
    blas_herk(static_cast<int>(c.extent(0)), static_cast<int>(a.extent(1)), alpha, a.data(),
              static_cast<int>(a.stride(1)), beta, c.data(), static_cast<int>(c.stride(1)));
  } else {
    herk_by_gemm<T>(queue, alpha, a, beta, c);
  }
}

#define TESSERA_INSTANTIATE_HERK(T, Exec)                                                                          \
  template void herk<T, Exec>(Queue<Exec>&, T, const MatrixView<const T, typename Exec::memory_space>&, T,         \
                              const MatrixView<T, typename Exec::memory_space>&);                                  \
  template void herk_by_gemm<T, Exec>(Queue<Exec>&, T, const MatrixView<const T, typename Exec::memory_space>&, T, \
                                      const MatrixView<T, typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_HERKS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_HERK, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_HERKS)

}  // namespace tessera::kernels

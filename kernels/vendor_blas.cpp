#include "kernels/vendor_blas.hpp"

#ifdef KOKKOS_ENABLE_CUDA

#include "kernels/instantiate.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace tessera::kernels {
namespace {

void check(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    throw std::runtime_error(std::string(call) + " failed: " + cublasGetStatusString(status));
  }
}

constexpr cublasOperation_t operation(char op) { return op == 'N' ? CUBLAS_OP_N : CUBLAS_OP_C; }

cublasStatus_t cublas_gemm(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n, int k,
                           const float* alpha, const float* a, int lda, const float* b, int ldb, const float* beta,
                           float* c, int ldc) {
  return cublasSgemm(handle, op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
cublasStatus_t cublas_gemm(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n, int k,
                           const double* alpha, const double* a, int lda, const double* b, int ldb, const double* beta,
                           double* c, int ldc) {
  return cublasDgemm(handle, op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
cublasStatus_t cublas_gemm(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n, int k,
                           const Kokkos::complex<float>* alpha, const Kokkos::complex<float>* a, int lda,
                           const Kokkos::complex<float>* b, int ldb, const Kokkos::complex<float>* beta,
                           Kokkos::complex<float>* c, int ldc) {
  const auto in = [](const Kokkos::complex<float>* p) { return reinterpret_cast<const cuComplex*>(p); };
  return cublasCgemm(handle, op_a, op_b, m, n, k, in(alpha), in(a), lda, in(b), ldb, in(beta),
                     reinterpret_cast<cuComplex*>(c), ldc);
}
cublasStatus_t cublas_gemm(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n, int k,
                           const Kokkos::complex<double>* alpha, const Kokkos::complex<double>* a, int lda,
                           const Kokkos::complex<double>* b, int ldb, const Kokkos::complex<double>* beta,
                           Kokkos::complex<double>* c, int ldc) {
  const auto in = [](const Kokkos::complex<double>* p) { return reinterpret_cast<const cuDoubleComplex*>(p); };
  return cublasZgemm(handle, op_a, op_b, m, n, k, in(alpha), in(a), lda, in(b), ldb, in(beta),
                     reinterpret_cast<cuDoubleComplex*>(c), ldc);
}

}  // namespace

VendorBlas<Kokkos::Cuda>::VendorBlas(const Kokkos::Cuda& exec)
    : workspace_(Kokkos::view_alloc("tessera::cublas::workspace", Kokkos::WithoutInitializing), workspace_bytes) {
  check(cublasCreate(&handle_), "cublasCreate");
  try {
    check(cublasSetStream(handle_, exec.cuda_stream()), "cublasSetStream");
    check(cublasSetWorkspace(handle_, workspace_.data(), workspace_bytes), "cublasSetWorkspace");
  } catch (...) {
    cublasDestroy(handle_);
    throw;
  }
}

VendorBlas<Kokkos::Cuda>::~VendorBlas() { cublasDestroy(handle_); }

template <class T>
void VendorBlas<Kokkos::Cuda>::gemm(char op_a, char op_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha,
                                    const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c,
                                    std::int64_t ldc) const {
  constexpr std::int64_t most_rows = 8192;  // above it cuBLAS picks a kernel that is 10% slower (H100)
  for (std::int64_t row = 0; row < m; row += most_rows) {
    const T* first = op_a == 'N' ? a + row : a + row * lda;
    check(cublas_gemm(handle_, operation(op_a), operation(op_b), static_cast<int>(std::min(most_rows, m - row)),
                      static_cast<int>(n), static_cast<int>(k), &alpha, first, static_cast<int>(lda), b,
                      static_cast<int>(ldb), &beta, c + row, static_cast<int>(ldc)),
          "cublas gemm");
  }
}

#define TESSERA_INSTANTIATE_CUBLAS(T, Blas)                                                                    \
  template void Blas::gemm<T>(char, char, std::int64_t, std::int64_t, std::int64_t, T, const T*, std::int64_t, \
                              const T*, std::int64_t, T, T*, std::int64_t) const;
TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_CUBLAS, VendorBlas<Kokkos::Cuda>)

}  // namespace tessera::kernels

#endif

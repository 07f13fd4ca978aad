#include "kernels/cuda/cublas.hpp"

#include "kernels/instantiate.hpp"
#include "tessera/scalar.hpp"

#include <stdexcept>
#include <string>
#include <type_traits>

namespace tessera::kernels {
namespace {

void check(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    throw std::runtime_error(std::string(call) + " failed: " + cublasGetStatusString(status));
  }
}

template <class T>
constexpr std::int64_t most_rounds = std::is_same_v<T, Kokkos::complex<double>> ? 2 : 4;

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

cublasStatus_t cublas_gemv(cublasHandle_t handle, cublasOperation_t op, int m, int n, const float* alpha,
                           const float* a, int lda, const float* x, const float* beta, float* y) {
  return cublasSgemv(handle, op, m, n, alpha, a, lda, x, 1, beta, y, 1);
}
cublasStatus_t cublas_gemv(cublasHandle_t handle, cublasOperation_t op, int m, int n, const double* alpha,
                           const double* a, int lda, const double* x, const double* beta, double* y) {
  return cublasDgemv(handle, op, m, n, alpha, a, lda, x, 1, beta, y, 1);
}
cublasStatus_t cublas_gemv(cublasHandle_t handle, cublasOperation_t op, int m, int n,
                           const Kokkos::complex<float>* alpha, const Kokkos::complex<float>* a, int lda,
                           const Kokkos::complex<float>* x, const Kokkos::complex<float>* beta,
                           Kokkos::complex<float>* y) {
  const auto in = [](const Kokkos::complex<float>* p) { return reinterpret_cast<const cuComplex*>(p); };
  return cublasCgemv(handle, op, m, n, in(alpha), in(a), lda, in(x), 1, in(beta), reinterpret_cast<cuComplex*>(y), 1);
}
cublasStatus_t cublas_gemv(cublasHandle_t handle, cublasOperation_t op, int m, int n,
                           const Kokkos::complex<double>* alpha, const Kokkos::complex<double>* a, int lda,
                           const Kokkos::complex<double>* x, const Kokkos::complex<double>* beta,
                           Kokkos::complex<double>* y) {
  const auto in = [](const Kokkos::complex<double>* p) { return reinterpret_cast<const cuDoubleComplex*>(p); };
  return cublasZgemv(handle, op, m, n, in(alpha), in(a), lda, in(x), 1, in(beta), reinterpret_cast<cuDoubleComplex*>(y),
                     1);
}

}  // namespace

Cublas::Cublas(const Kokkos::Cuda& exec, void* workspace, std::shared_ptr<void>& handle)
    : multiprocessors_(exec.cuda_device_prop().multiProcessorCount) {
  if (!handle) {
    check(cublasCreate(&handle_), "cublasCreate");
    handle.reset(handle_, [](void* made) { cublasDestroy(static_cast<cublasHandle_t>(made)); });
  }
  kept_ = handle;
  handle_ = static_cast<cublasHandle_t>(kept_.get());
  check(cublasSetStream(handle_, exec.cuda_stream()), "cublasSetStream");
  const auto address = reinterpret_cast<std::uintptr_t>(workspace);
  const std::uintptr_t aligned = (address + alignment - 1) / alignment * alignment;
  check(cublasSetWorkspace(handle_, reinterpret_cast<void*>(aligned), workspace_bytes - alignment),
        "cublasSetWorkspace");
}

template <class T>
void Cublas::gemm(char op_a, char op_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a,
                  std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc) const {
  if (n == 1 && op_b == 'N') {
    const bool plain = op_a == 'N';
    check(cublas_gemv(handle_, operation(op_a), static_cast<int>(plain ? m : k), static_cast<int>(plain ? k : m),
                      &alpha, a, static_cast<int>(lda), b, &beta, c),
          "cublas gemv");
    return;
  }
  for (std::int64_t row = 0; row < m;) {
    const std::int64_t rows = rows_of_a_call(m - row, n, k, most_rounds<T>);
    const T* first = op_a == 'N' ? a + row : a + row * lda;
    check(cublas_gemm(handle_, operation(op_a), operation(op_b), static_cast<int>(rows), static_cast<int>(n),
                      static_cast<int>(k), &alpha, first, static_cast<int>(lda), b, static_cast<int>(ldb), &beta,
                      c + row, static_cast<int>(ldc)),
          "cublas gemm");
    row += rows;
  }
}

/// The first of m rows of C that go into one call. cuBLAS's fast kernels work on 128 x 128 tiles, one a multiprocessor
/// at a time: as many as give all of them the same number of tiles, at most `most_rounds`; short products, which gain
/// less than a call takes, are only kept from having more. With other numbers it picks kernels that are slower by a
/// tenth or more (measured on an H100, as most_rounds is).
std::int64_t Cublas::rows_of_a_call(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t most_rounds) const {
  constexpr std::int64_t tile = 128;
  const std::int64_t tiles_across = (n + tile - 1) / tile;
  if (tiles_across <= 2) return m;
  const auto rows_in = [&](std::int64_t rounds) { return rounds * multiprocessors_ / tiles_across * tile; };
  if (rows_in(most_rounds) > 0 && rows_in(most_rounds) <= m) return rows_in(most_rounds);
  if (k < 2048) return m;
  for (std::int64_t rounds = most_rounds - 1; rounds > 0; --rounds) {
    if (rows_in(rounds) > 0 && rows_in(rounds) <= m) return rows_in(rounds);
  }
  return m;
}

#define TESSERA_INSTANTIATE_CUBLAS(T, Blas)                                                                    \
  template void Blas::gemm<T>(char, char, std::int64_t, std::int64_t, std::int64_t, T, const T*, std::int64_t, \
                              const T*, std::int64_t, T, T*, std::int64_t) const;
TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_CUBLAS, Cublas)

}  // namespace tessera::kernels

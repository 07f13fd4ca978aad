// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/cuda/byte_products.hpp"

#include <Kokkos_Core.hpp>

#include <cublas_v2.h>

#include <cstdint>
#include <memory>

namespace tessera::kernels {

/// What Backend's Blas is: Kokkos Kernels' gemm shares one cuBLAS handle between all instances, so that results may
/// depend on what overlaps, and computes small products by atomics.
class Cublas {
 public:
  static constexpr std::int64_t alignment = 256;
  static constexpr std::int64_t workspace_bytes = (std::int64_t{32} << 20) + alignment;  ///< as cuBLAS asks on Hopper

  Cublas(const Kokkos::Cuda& exec, void* workspace, std::shared_ptr<void>& handle);

  /// C = alpha op(A) op(B) + beta C, column-major; 'N' or 'C'. One column is a gemv, and so may the last row be.
  template <class T>
  void gemm(char op_a, char op_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a, std::int64_t lda,
            const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc) const;

  /// C = A^T B in each plane, of bytes, A k x m and B k x n, or, if it accumulates, C += A^T B: exactly, as long as an
  /// int32 holds it. m, k, the leading dimensions and the strides from plane to plane are multiples of 4.
  void multiply_bytes(int planes, std::int64_t m, std::int64_t n, std::int64_t k, const Planes<const std::int8_t>& a,
                      const Planes<const std::int8_t>& b, const Planes<std::int32_t>& c, bool accumulates) const;

  /// The m x n matrix B = op(L) B, with L lower triangular; 'N' or 'C'.
  template <class T>
  void trmm_left(char op, std::int64_t m, std::int64_t n, const T* l, std::int64_t ldl, T* b, std::int64_t ldb) const;

 private:
  std::int64_t rows_of_a_call(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t most_rounds) const;

  /// What is slow to make, or to find.
  struct Kept {
    explicit Kept(int multiprocessors);
    ~Kept();
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;

    cublasHandle_t handle = nullptr;
    ByteProducts byte_products;
  };

  std::int64_t multiprocessors_;
  std::shared_ptr<Kept> kept_;
  cublasHandle_t handle_;
  void* workspace_;
};

}  // namespace tessera::kernels

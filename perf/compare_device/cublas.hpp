// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <Kokkos_Core.hpp>

#include <cublas_v2.h>

#include <stdexcept>
#include <string>

// cuBLAS on column-major matrices in device memory, for what Tessera is compared with.
namespace tessera::perf {

/// What cuBLAS calls a scalar, and what works on it.
template <class T>
struct CuBlasNames;
template <>
struct CuBlasNames<float> {
  using Scalar = float;
  static constexpr auto gemm = cublasSgemm;
  static constexpr auto trsm = cublasStrsm;
};
template <>
struct CuBlasNames<double> {
  using Scalar = double;
  static constexpr auto gemm = cublasDgemm;
  static constexpr auto trsm = cublasDtrsm;
};
template <>
struct CuBlasNames<Kokkos::complex<float>> {
  using Scalar = cuComplex;
  static constexpr auto gemm = cublasCgemm;
  static constexpr auto trsm = cublasCtrsm;
};
template <>
struct CuBlasNames<Kokkos::complex<double>> {
  using Scalar = cuDoubleComplex;
  static constexpr auto gemm = cublasZgemm;
  static constexpr auto trsm = cublasZtrsm;
};

class CuBlas {
 public:
  explicit CuBlas(const Kokkos::Cuda& exec) {
    check(cublasCreate(&handle_), "cublasCreate");
    check(cublasSetStream(handle_, exec.cuda_stream()), "cublasSetStream");
  }
  ~CuBlas() { cublasDestroy(handle_); }
  CuBlas(const CuBlas&) = delete;
  CuBlas& operator=(const CuBlas&) = delete;

  /// C -= A B, all of them n x n.
  template <class T>
  void subtract_product(int n, const T* a, const T* b, T* c) {
    const T minus_one = -1;
    const T one = 1;
    check(CuBlasNames<T>::gemm(handle_, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, typed(&minus_one), typed(a), n, typed(b), n,
                               typed(&one), typed(c), n),
          "cublas<t>gemm");
  }

  /// B = (L L^H)^-1 B, by a call for L and one for L^H.
  template <class T>
  void solve(int n, int columns, const T* l, T* b) {
    const T one = 1;
    for (const auto operation : {CUBLAS_OP_N, CUBLAS_OP_C}) {
      check(CuBlasNames<T>::trsm(handle_, CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_LOWER, operation, CUBLAS_DIAG_NON_UNIT, n,
                                 columns, typed(&one), typed(l), n, typed(b), n),
            "cublas<t>trsm");
    }
  }

 private:
  template <class T>
  static const typename CuBlasNames<T>::Scalar* typed(const T* p) {
    return reinterpret_cast<const typename CuBlasNames<T>::Scalar*>(p);
  }
  template <class T>
  static typename CuBlasNames<T>::Scalar* typed(T* p) {
    return reinterpret_cast<typename CuBlasNames<T>::Scalar*>(p);
  }

  static void check(cublasStatus_t status, const char* call) {
    if (status != CUBLAS_STATUS_SUCCESS) {
      throw std::runtime_error(std::string(call) + " failed: " + cublasGetStatusString(status));
    }
  }

  cublasHandle_t handle_ = nullptr;
};

}  // namespace tessera::perf

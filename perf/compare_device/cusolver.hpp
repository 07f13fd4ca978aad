// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/scalar.hpp"

#include <Kokkos_Core.hpp>

#include <cublas_v2.h>
#include <cusolverDn.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

// cuSOLVER's 64-bit interface, on column-major matrices in device memory.
namespace tessera::perf {

/// What CUDA's libraries call a scalar.
template <class T>
inline constexpr bool is_single = sizeof(detail::RealOf<T>) == sizeof(float);
template <class T>
inline constexpr cudaDataType cuda_type = sizeof(T) == sizeof(detail::RealOf<T>)
                                              ? (is_single<T> ? CUDA_R_32F : CUDA_R_64F)
                                              : (is_single<T> ? CUDA_C_32F : CUDA_C_64F);

class CuSolver {
 public:
  explicit CuSolver(const Kokkos::Cuda& exec) {
    check(cusolverDnCreate(&handle_), "cusolverDnCreate");
    check(cusolverDnSetStream(handle_, exec.cuda_stream()), "cusolverDnSetStream");
    check(cusolverDnCreateParams(&params_), "cusolverDnCreateParams");
  }
  ~CuSolver() {
    cusolverDnDestroyParams(params_);
    cusolverDnDestroy(handle_);
  }
  CuSolver(const CuSolver&) = delete;
  CuSolver& operator=(const CuSolver&) = delete;

  /// Workspace for potrf.
  template <class T>
  void reserve(std::int64_t n, const T* a) {
    std::size_t device = 0;
    std::size_t host = 0;
    check(cusolverDnXpotrf_bufferSize(handle_, params_, CUBLAS_FILL_MODE_LOWER, n, cuda_type<T>, a, n, cuda_type<T>,
                                      &device, &host),
          "cusolverDnXpotrf_bufferSize");
    device_ = Device(Kokkos::view_alloc("tessera::compare::cusolver", Kokkos::WithoutInitializing), device);
    host_.resize(host);
  }
  void clear() { device_ = {}; }

  template <class T>
  void potrf(std::int64_t n, T* a) {
    check(cusolverDnXpotrf(handle_, params_, CUBLAS_FILL_MODE_LOWER, n, cuda_type<T>, a, n, cuda_type<T>,
                           device_.data(), device_.extent(0), host_.data(), host_.size(), info_.data()),
          "cusolverDnXpotrf");
  }

  template <class T>
  void potrs(std::int64_t n, std::int64_t columns, const T* a, T* b) {
    check(cusolverDnXpotrs(handle_, params_, CUBLAS_FILL_MODE_LOWER, n, columns, cuda_type<T>, a, n, cuda_type<T>, b, n,
                           info_.data()),
          "cusolverDnXpotrs");
  }

  /// The lower triangle of A^-1 in place of L, in memory that it takes: the 64-bit interface has no potri.
  template <class T>
  void potri(int n, T* a) {
    int size = 0;
    check(potri_size(n, a, &size), "cusolverDn<t>potri_bufferSize");
    const Kokkos::View<T*, Kokkos::CudaSpace> work(
        Kokkos::view_alloc("tessera::compare::potri", Kokkos::WithoutInitializing), static_cast<std::size_t>(size));
    check(potri(n, a, work.data(), size), "cusolverDn<t>potri");
    Kokkos::fence();
  }

 private:
  static constexpr auto lower = CUBLAS_FILL_MODE_LOWER;
  cusolverStatus_t potri_size(int n, float* a, int* size) {
    return cusolverDnSpotri_bufferSize(handle_, lower, n, a, n, size);
  }
  cusolverStatus_t potri_size(int n, double* a, int* size) {
    return cusolverDnDpotri_bufferSize(handle_, lower, n, a, n, size);
  }
  cusolverStatus_t potri_size(int n, Kokkos::complex<float>* a, int* size) {
    return cusolverDnCpotri_bufferSize(handle_, lower, n, reinterpret_cast<cuComplex*>(a), n, size);
  }
  cusolverStatus_t potri_size(int n, Kokkos::complex<double>* a, int* size) {
    return cusolverDnZpotri_bufferSize(handle_, lower, n, reinterpret_cast<cuDoubleComplex*>(a), n, size);
  }
  cusolverStatus_t potri(int n, float* a, float* work, int size) {
    return cusolverDnSpotri(handle_, lower, n, a, n, work, size, info_.data());
  }
  cusolverStatus_t potri(int n, double* a, double* work, int size) {
    return cusolverDnDpotri(handle_, lower, n, a, n, work, size, info_.data());
  }
  cusolverStatus_t potri(int n, Kokkos::complex<float>* a, Kokkos::complex<float>* work, int size) {
    return cusolverDnCpotri(handle_, lower, n, reinterpret_cast<cuComplex*>(a), n, reinterpret_cast<cuComplex*>(work),
                            size, info_.data());
  }
  cusolverStatus_t potri(int n, Kokkos::complex<double>* a, Kokkos::complex<double>* work, int size) {
    return cusolverDnZpotri(handle_, lower, n, reinterpret_cast<cuDoubleComplex*>(a), n,
                            reinterpret_cast<cuDoubleComplex*>(work), size, info_.data());
  }

  using Device = Kokkos::View<char*, Kokkos::CudaSpace>;

  static void check(cusolverStatus_t status, const char* call) {
    if (status != CUSOLVER_STATUS_SUCCESS) {
      throw std::runtime_error(std::string(call) + " failed: status " + std::to_string(static_cast<int>(status)));
    }
  }

  cusolverDnHandle_t handle_ = nullptr;
  cusolverDnParams_t params_ = nullptr;
  Device device_;
  std::vector<char> host_;
  Kokkos::View<int, Kokkos::CudaSpace> info_{"tessera::compare::info"};
};

}  // namespace tessera::perf

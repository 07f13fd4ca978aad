// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/cuda/tile_kernels.hpp"

#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/tile_blocks.hpp"
#include "kernels/instantiate.hpp"

#include <algorithm>

namespace tessera::kernels {
namespace {

template <class T>
using Real = detail::RealOf<T>;
template <class T>
constexpr int reals = static_cast<int>(sizeof(T) / sizeof(Real<T>));  // in a number
template <class T>
constexpr int columns = static_cast<int>(CudaTileKernels::columns<T>);
/// Of two columns of a block, L, and the reciprocals of its diagonal.
template <class T>
constexpr int tile_bytes() {
  constexpr int n = columns<T>;
  return (2 * width + padded<T>(n) * n) * static_cast<int>(sizeof(T)) + n * static_cast<int>(sizeof(Real<T>));
}

template <class T>
__global__ void __launch_bounds__(threads)
    potrf_kernel(T* a, std::int64_t leading_dimension, int n, std::int64_t offset, std::int64_t* failing) {
  const SharedVector<T> column{0};
  const Shared<T, padded<T>(columns<T>)> l{2 * width};
  constexpr int end = 2 * width + padded<T>(columns<T>) * columns<T>;
  const SharedVector<Real<T>> reciprocals{end * reals<T>};
  const int thread = static_cast<int>(threadIdx.x);
  start_load<true, columns<T>>(a, leading_dimension, n, n, l);
  finish_loads();
  factor_blocks(l, in_blocks(n), column, reciprocals, offset, failing);
  const int i = thread % columns<T>;
  for (int j = thread / columns<T>; j < n; j += threads / columns<T>) {
    if (i >= j && i < n) a[i + j * leading_dimension] = l(i, j);
  }
}

constexpr int most_rows = 64;  // of B, that a multiprocessor has at a time

/// L^H from its last row and column to its first, which is lower triangular as L is; the rest as start_load has it.
template <int height, class T, int lead>
__device__ void load_backwards(const T* from, std::int64_t leading_dimension, int n, Shared<T, lead> to) {
  const int end = in_blocks(n) * width;
  const int i = static_cast<int>(threadIdx.x) % height;
  for (int j = static_cast<int>(threadIdx.x) / height; j <= i && i < end; j += threads / height) {
    if (i < n) {
      to(n - 1 - j, n - 1 - i) = detail::conj(from[i + j * leading_dimension]);
    } else {
      to(i, j) = T(i == j ? 1 : 0);
    }
  }
}

/// B = B L^-H, part of B's rows after part, block column by block column. Backwards, B = -B L^-1: the same for L^H and
/// B's columns from the last one on.
template <class T, bool backwards>
__global__ void __launch_bounds__(threads)
    trsm_kernel(const T* l_data, std::int64_t leading_dimension_of_l, int n, T* b_data,
                std::int64_t leading_dimension_of_b, std::int64_t m, int rows) {
  const Shared<T, padded<T>(columns<T>)> l{0};
  const Shared<T, padded<T>(most_rows)> b{l.leading_dimension * columns<T>};
  const SharedVector<Real<T>> reciprocals{(b.first + b.leading_dimension * columns<T>)*reals<T>};
  const int thread = static_cast<int>(threadIdx.x);
  if constexpr (backwards) {
    load_backwards<columns<T>>(l_data, leading_dimension_of_l, n, l);
    b_data += (n - 1) * leading_dimension_of_b;
    leading_dimension_of_b = -leading_dimension_of_b;
  } else {
    start_load<true, columns<T>>(l_data, leading_dimension_of_l, n, n, l);
  }
  if (thread < n) {
    const int k = backwards ? n - 1 - thread : thread;
    reciprocals[thread] = Real<T>(1) / detail::real(l_data[k + k * leading_dimension_of_l]);
  } else if (thread < columns<T>) {
    reciprocals[thread] = 1;
  }
  for (std::int64_t first = std::int64_t{blockIdx.x} * rows; first < m; first += std::int64_t{gridDim.x} * rows) {
    const int own = static_cast<int>(m - first < rows ? m - first : rows);
    start_load<false, most_rows>(b_data + first, leading_dimension_of_b, own, n, b);
    finish_loads();
    divide_blocks(b, in_blocks(own), l, in_blocks(n), reciprocals);
    const int i = thread % most_rows;
    for (int j = thread / most_rows; j < n; j += threads / most_rows) {
      if (i < own) b_data[first + i + j * leading_dimension_of_b] = backwards ? -b(i, j) : b(i, j);
    }
    __syncthreads();
  }
}

template <class T, bool backwards>
void launch_trsm(const char* label, const Kokkos::Cuda& exec, const MatrixView<const T, Kokkos::CudaSpace>& l,
                 const MatrixView<T, Kokkos::CudaSpace>& b) {
  constexpr int bytes = tile_bytes<T>() + padded<T>(most_rows) * kernels::columns<T> * static_cast<int>(sizeof(T));
  const auto m = static_cast<std::int64_t>(b.extent(0));
  const int multiprocessors = exec.cuda_device_prop().multiProcessorCount;
  const std::int64_t share = (m + multiprocessors - 1) / multiprocessors;
  const int rows = static_cast<int>(std::min<std::int64_t>(most_rows, (share + width - 1) / width * width));
  const int teams = static_cast<int>(std::min<std::int64_t>(multiprocessors, (m + rows - 1) / rows));
  launch<threads, bytes, trsm_kernel<T, backwards>>(
      label, exec, teams, l.data(), static_cast<std::int64_t>(l.stride(1)), static_cast<int>(l.extent(0)), b.data(),
      static_cast<std::int64_t>(b.stride(1)), m, rows);
}

}  // namespace

template <class T>
void CudaTileKernels::potrf(const Kokkos::Cuda& exec, const MatrixView<T, Kokkos::CudaSpace>& a, std::int64_t offset,
                            const Kokkos::View<std::int64_t, Kokkos::CudaSpace>& failing) {
  launch<threads, tile_bytes<T>(), potrf_kernel<T>>("tessera::potrf::tile", exec, 1, a.data(),
                                                    static_cast<std::int64_t>(a.stride(1)),
                                                    static_cast<int>(a.extent(0)), offset, failing.data());
}

template <class T>
void CudaTileKernels::trsm_right(const Kokkos::Cuda& exec, const MatrixView<const T, Kokkos::CudaSpace>& l,
                                 const MatrixView<T, Kokkos::CudaSpace>& b) {
  launch_trsm<T, false>("tessera::trsm::tile", exec, l, b);
}

template <class T>
void CudaTileKernels::negative_trsm_right(const Kokkos::Cuda& exec, const MatrixView<const T, Kokkos::CudaSpace>& l,
                                          const MatrixView<T, Kokkos::CudaSpace>& b) {
  launch_trsm<T, true>("tessera::trsm::tile_backwards", exec, l, b);
}

#define TESSERA_INSTANTIATE_TILE_KERNELS(T, Exec)                                                                    \
  template void CudaTileKernels::potrf<T>(const Exec&, const MatrixView<T, Exec::memory_space>&, std::int64_t,       \
                                          const Kokkos::View<std::int64_t, Exec::memory_space>&);                    \
  template void CudaTileKernels::trsm_right<T>(const Exec&, const MatrixView<const T, Exec::memory_space>&,          \
                                               const MatrixView<T, Exec::memory_space>&);                            \
  template void CudaTileKernels::negative_trsm_right<T>(const Exec&, const MatrixView<const T, Exec::memory_space>&, \
                                                        const MatrixView<T, Exec::memory_space>&);
TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_TILE_KERNELS, Kokkos::Cuda)

}  // namespace tessera::kernels

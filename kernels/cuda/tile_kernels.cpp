#include "kernels/cuda/tile_kernels.hpp"

#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/tensor_core.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/scalar.hpp"

#include <cuda_pipeline.h>

#include <algorithm>

namespace tessera::kernels {
namespace {

// Both kernels work on blocks of 16 x 16 numbers in shared memory. What is missing in the last block is filled up with
// ones on the diagonal and zeros, which change nothing.
constexpr int width = 16;
constexpr int threads = 256;
constexpr int warps = threads / warp_size;

KOKKOS_FUNCTION constexpr int in_blocks(int n) { return (n + width - 1) / width; }

/// Column-major; a leading dimension of 8 more than a multiple of 16 keeps 8 rows of 4 columns in different banks.
template <class T>
struct Shared {
  T* data;
  int leading_dimension;

  __device__ T& operator()(int i, int j) const { return data[i + j * leading_dimension]; }
  __device__ Shared block(int i, int j) const {
    return {data + i * width + j * width * leading_dimension, leading_dimension};
  }
};
KOKKOS_FUNCTION constexpr int padded(int rows) { return rows + 8; }

template <class T>
constexpr int columns = static_cast<int>(CudaTileKernels::columns<T>);
/// Of two columns of a block, L, and the reciprocals of its diagonal.
template <class T>
constexpr int tile_bytes() {
  constexpr int n = columns<T>;
  return (2 * width + padded(n) * n) * static_cast<int>(sizeof(T)) + n * static_cast<int>(sizeof(detail::RealOf<T>));
}

/// Starts to copy into `to` the lower triangle of n columns of `from`, or m rows of them; finish_loads() waits. Above
/// the diagonal nothing is written.
template <bool lower, int height, class T>
__device__ void start_load(const T* from, std::int64_t leading_dimension, int m, int n, const Shared<T>& to) {
  constexpr int step = threads / height;
  const int i = static_cast<int>(threadIdx.x) % height;
  const int end = lower ? min(i + 1, in_blocks(n) * width) : in_blocks(n) * width;
  int j = static_cast<int>(threadIdx.x) / height;
  if (i < m) {
    const T* source = from + i + j * leading_dimension;
#pragma unroll 4
    for (; j < min(n, end); j += step) {
      __pipeline_memcpy_async(&to(i, j), source, sizeof(T));
      source += step * leading_dimension;
    }
  }
  for (; j < end; j += step) to(i, j) = T(lower && i == j ? 1 : 0);
}
__device__ void finish_loads() {
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
}

/// 1 / sqrt(x), without a branch: of finite normal x > 0. Of any other x it is infinite or NaN, or right.
__device__ double reciprocal_root(double x) {
  double y;  // of about 22 bits, infinite for 0
  asm("rsqrt.approx.ftz.f64 %0, %1;" : "=d"(y) : "d"(x));
  const double rest = fma(-x * y, y, 1.0);
  return fma(y * rest, fma(0.375, rest, 0.5), y);
}
__device__ float reciprocal_root(float x) {
  const float y = rsqrtf(x);
  return fmaf(0.5F * y, fmaf(-x * y, y, 1.0F), y);
}

/// 1 / sqrt(x) for any x: NaN where it is not positive, 0 where it is infinite.
template <class Real>
__device__ Real reciprocal_root_of_any(Real x) {
  if (!(x > Real(0))) return Real(NAN);  // NaN compares false
  if (x == Real(INFINITY)) return Real(0);
  const Real scale = x < Real(1) ? Real(0x1p54) : Real(1);  // what is denormal becomes normal, exactly
  return reciprocal_root(x * scale * scale) * scale;
}

/// D = L L^H for one block, by one warp, in memory, for any pivots: as the host has it, a positive one may be infinite
/// or denormal. `row` is that of A before this block. Not inlined, so that the usual way keeps its registers.
template <class T>
__device__ __noinline__ void factor_unusual_block(const Shared<T>& d, detail::RealOf<T>* reciprocals, std::int64_t row,
                                                  std::int64_t* failing) {
  using Real = detail::RealOf<T>;
  const int i = kernels::lane();
  bool failed = false;
#pragma unroll 1
  for (int k = 0; k < width; ++k) {
    const Real pivot = detail::real(d(k, k));
    const Real reciprocal = failed ? Real(NAN) : reciprocal_root_of_any(pivot);
    if (isnan(reciprocal) && !failed) {
      failed = true;
      const std::int64_t minor = row + k + 1;
      if (i == 0 && *failing > minor) *failing = minor;
    }
    __syncwarp();  // all lanes have read the pivot
    if (i == k) {
      d(k, k) = T(reciprocal == Real(0) ? pivot : pivot * reciprocal);
      reciprocals[k] = reciprocal;
    } else if (i > k && i < width) {
      d(i, k) = d(i, k) * reciprocal;
    }
    __syncwarp();
#pragma unroll 1
    for (int j = k + 1; j <= i && i < width; ++j) d(i, j) -= d(i, k) * detail::conj(d(j, k));
    __syncwarp();
  }
}

/// The same; lane i has row i in registers, and the lanes tell each other the newest column in `column`, room for two
/// of them. Pivots that reciprocal_root is not for end as NaNs or infinities; then it begins again, slowly.
template <class T>
__device__ void factor_block(const Shared<T>& d, T* column, detail::RealOf<T>* reciprocals, std::int64_t row,
                             std::int64_t* failing) {
  using Real = detail::RealOf<T>;
  const int lane = kernels::lane();
  const int i = lane % width;
  T entries[width];
#pragma unroll
  for (int j = 0; j < width; ++j) entries[j] = d(i, j);
  bool usual = true;
#pragma unroll
  for (int k = 0; k < width; ++k) {
    T* const newest = column + k % 2 * width;
    newest[i] = entries[k];  // by two lanes, the same
    const Real pivot = __shfl_sync(all_lanes, detail::real(entries[k]), k);
    __syncwarp();
    const Real reciprocal = reciprocal_root(pivot);
    usual = usual && reciprocal < Real(INFINITY);
    const T in_l = entries[k] * reciprocal;
    const T scaled = in_l * reciprocal;
#pragma unroll
    for (int j = k + 1; j < width; ++j) entries[j] -= scaled * detail::conj(newest[j]);
    entries[k] = i == k ? T(pivot * reciprocal) : in_l;
    if (lane == k) reciprocals[k] = reciprocal;
  }
  if (!usual) return factor_unusual_block(d, reciprocals, row, failing);  // for all lanes: they share the pivots
#pragma unroll
  for (int j = 0; j < width; ++j) {
    if (lane < width && j <= i) d(i, j) = entries[j];
  }
}

/// One row of B = B L^-H for one block of L, by one thread. Numbers of L are on their way a column ahead.
template <class T>
__device__ void divide_row(const Shared<T>& b, int i, const Shared<T>& l, const detail::RealOf<T>* reciprocals) {
  const unsigned active = __activemask();
  T entries[width];
  T factors[2][width];
  detail::RealOf<T> reciprocal[2] = {reciprocals[0]};
#pragma unroll
  for (int j = 0; j < width; ++j) entries[j] = b(i, j);
#pragma unroll
  for (int j = 0; j < width; ++j) factors[0][j] = l(j, 0);
#pragma unroll
  for (int j = 0; j < width; ++j) {
#pragma unroll
    for (int k = j + 2; k < width; ++k) factors[(j + 1) % 2][k] = l(k, j + 1);
    if (j + 1 < width) reciprocal[(j + 1) % 2] = reciprocals[j + 1];
    __syncwarp(active);  // else the compiler moves each load to where its number is used, and waits there
    entries[j] = entries[j] * reciprocal[j % 2];
#pragma unroll
    for (int k = j + 1; k < width; ++k) entries[k] -= entries[j] * detail::conj(factors[j % 2][k]);
  }
#pragma unroll
  for (int j = 0; j < width; ++j) b(i, j) = entries[j];
}

/// Numbers that follow each other in shared memory, in loads or stores of up to 16 bytes.
template <class T, int count>
struct alignas(sizeof(T) * count < 16 ? sizeof(T) * count : 16) Run {
  T of[count];
};

/// C -= A B^H for blocks, by one warp: a lane has a few rows of C in a few columns, side by side. Numbers of A and B
/// are on their way a column ahead.
template <class T>
__device__ void subtract_product(const Shared<T>& c, const Shared<T>& a, const Shared<T>& b) {
  constexpr int down = sizeof(T) < 8 ? 4 : 2;
  constexpr int across = 8 / down;
  const int i = lane() % (width / down) * down;
  const int j = lane() / (width / down) * across;
  Run<T, down> left[2];
  Run<T, across> right[2];
  const auto read = [&](int k) {
    left[k % 2] = *reinterpret_cast<const Run<T, down>*>(&a(i, k));
    right[k % 2] = *reinterpret_cast<const Run<T, across>*>(&b(j, k));
  };
  read(0);
  T sums[down][across] = {};
#pragma unroll
  for (int k = 0; k < width; ++k) {
    if (k + 1 < width) read(k + 1);
    __syncwarp();
#pragma unroll
    for (int p = 0; p < down; ++p) {
#pragma unroll
      for (int q = 0; q < across; ++q) sums[p][q] += left[k % 2].of[p] * detail::conj(right[k % 2].of[q]);
    }
  }
#pragma unroll
  for (int q = 0; q < across; ++q) {
    auto& column = *reinterpret_cast<Run<T, down>*>(&c(i, j + q));
    Run<T, down> values = column;
#pragma unroll
    for (int p = 0; p < down; ++p) values.of[p] -= sums[p][q];
    column = values;
  }
}

/// The same by tensor cores: C^H = C^H - B A^H, of which a lane has two numbers of a column side by side.
__device__ void subtract_product(const Shared<double>& c, const Shared<double>& a, const Shared<double>& b) {
  const int row = lane() / 4;
  const int step = lane() % 4;
  Product products[2];
#pragma unroll
  for (int k = 0; k < width; k += 4) {
    const double left[2] = {b(row, k + step), b(row + 8, k + step)};
#pragma unroll
    for (int t = 0; t < 2; ++t) products[t].add(left, a(8 * t + row, k + step));
  }
#pragma unroll
  for (int t = 0; t < 2; ++t) {
#pragma unroll
    for (int p = 0; p < 2; ++p) {
      auto& pair = *reinterpret_cast<Run<double, 2>*>(&c(8 * t + 2 * step, row + 8 * p));
      const Run<double, 2> values = pair;
      pair = {values.of[0] - products[t].of[p][0], values.of[1] - products[t].of[p][1]};
    }
  }
}

/// Right-looking, block column by block column. While one warp factors a block on the diagonal, which takes as long as
/// anything, the others update what is right of it.
template <class T>
__global__ void __launch_bounds__(threads)
    potrf_kernel(T* a, std::int64_t leading_dimension, int n, std::int64_t offset, std::int64_t* failing) {
  extern __shared__ double2 memory[];
  T* const column = reinterpret_cast<T*>(memory);
  const Shared<T> l{column + 2 * width, padded(columns<T>)};
  auto* const reciprocals = reinterpret_cast<detail::RealOf<T>*>(l.data + l.leading_dimension * columns<T>);
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = kernels::warp();
  const int blocks = in_blocks(n);
  start_load<true, columns<T>>(a, leading_dimension, n, n, l);
  finish_loads();
#pragma unroll 1
  for (int k = 0; k < blocks; ++k) {
    if (warp == 0) {  // A(k,k) = L(k,k) L(k,k)^H
      factor_block(l.block(k, k), column, reciprocals, offset + k * width, failing);
    } else if (k > 0) {
      int turn = 1;
      for (int j = k + 1; j < blocks; ++j) {  // A(i,j) -= L(i,k-1) L(j,k-1)^H, j > k
        for (int i = j; i < blocks; ++i) {
          if (turn == warp) subtract_product(l.block(i, j), l.block(i, k - 1), l.block(j, k - 1));
          turn = turn + 1 < warps ? turn + 1 : 1;
        }
      }
    }
    __syncthreads();
    if (thread < (blocks - k - 1) * width) {  // A(i,k) = A(i,k) L(k,k)^-H, i > k
      divide_row(l.block(k + 1, k), thread, l.block(k, k), reciprocals);
    }
    __syncthreads();
    for (int i = k + 1 + warp; i < blocks; i += warps) {  // A(i,k+1) -= L(i,k) L(k+1,k)^H
      subtract_product(l.block(i, k + 1), l.block(i, k), l.block(k + 1, k));
    }
    __syncthreads();
  }
  const int i = thread % columns<T>;
  for (int j = thread / columns<T>; j < n; j += threads / columns<T>) {
    if (i >= j && i < n) a[i + j * leading_dimension] = l(i, j);
  }
}

constexpr int most_rows = 64;  // of B, that a multiprocessor has at a time

/// Part of B's rows after part, block column by block column.
template <class T>
__global__ void __launch_bounds__(threads)
    trsm_kernel(const T* l_data, std::int64_t leading_dimension_of_l, int n, T* b_data,
                std::int64_t leading_dimension_of_b, std::int64_t m, int rows) {
  extern __shared__ double2 memory[];
  const Shared<T> l{reinterpret_cast<T*>(memory), padded(columns<T>)};
  const Shared<T> b{l.data + l.leading_dimension * columns<T>, padded(most_rows)};
  auto* const reciprocals = reinterpret_cast<detail::RealOf<T>*>(b.data + b.leading_dimension * columns<T>);
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = kernels::warp();
  const int blocks = in_blocks(n);
  start_load<true, columns<T>>(l_data, leading_dimension_of_l, n, n, l);
  if (thread < n) {
    reciprocals[thread] = detail::RealOf<T>(1) / detail::real(l_data[thread + thread * leading_dimension_of_l]);
  } else if (thread < columns<T>) {
    reciprocals[thread] = 1;
  }
  for (std::int64_t first = std::int64_t{blockIdx.x} * rows; first < m; first += std::int64_t{gridDim.x} * rows) {
    const int own = static_cast<int>(m - first < rows ? m - first : rows);
    const int high = in_blocks(own);
    start_load<false, most_rows>(b_data + first, leading_dimension_of_b, own, n, b);
    finish_loads();
    for (int k = 0; k < blocks; ++k) {
      if (thread < high * width) {  // B(i,k) = B(i,k) L(k,k)^-H
        divide_row(b.block(0, k), thread, l.block(k, k), reciprocals + k * width);
      }
      __syncthreads();
      for (int task = warp; task < high * (blocks - k - 1); task += warps) {  // B(i,j) -= B(i,k) L(j,k)^H
        const int i = task % high;
        const int j = k + 1 + task / high;
        subtract_product(b.block(i, j), b.block(i, k), l.block(j, k));
      }
      __syncthreads();
    }
    const int i = thread % most_rows;
    for (int j = thread / most_rows; j < n; j += threads / most_rows) {
      if (i < own) b_data[first + i + j * leading_dimension_of_b] = b(i, j);
    }
    __syncthreads();
  }
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
  constexpr int bytes = tile_bytes<T>() + padded(most_rows) * kernels::columns<T> * static_cast<int>(sizeof(T));
  const auto m = static_cast<std::int64_t>(b.extent(0));
  const int multiprocessors = exec.cuda_device_prop().multiProcessorCount;
  const std::int64_t share = (m + multiprocessors - 1) / multiprocessors;
  const int rows = static_cast<int>(std::min<std::int64_t>(most_rows, (share + width - 1) / width * width));
  const int teams = static_cast<int>(std::min<std::int64_t>(multiprocessors, (m + rows - 1) / rows));
  launch<threads, bytes, trsm_kernel<T>>("tessera::trsm::tile", exec, teams, l.data(),
                                         static_cast<std::int64_t>(l.stride(1)), static_cast<int>(l.extent(0)),
                                         b.data(), static_cast<std::int64_t>(b.stride(1)), m, rows);
}

#define TESSERA_INSTANTIATE_TILE_KERNELS(T, Exec)                                                              \
  template void CudaTileKernels::potrf<T>(const Exec&, const MatrixView<T, Exec::memory_space>&, std::int64_t, \
                                          const Kokkos::View<std::int64_t, Exec::memory_space>&);              \
  template void CudaTileKernels::trsm_right<T>(const Exec&, const MatrixView<const T, Exec::memory_space>&,    \
                                               const MatrixView<T, Exec::memory_space>&);
TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_TILE_KERNELS, Kokkos::Cuda)

}  // namespace tessera::kernels

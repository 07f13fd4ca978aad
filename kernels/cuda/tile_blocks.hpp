// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/cuda/tensor_core.hpp"
#include "tessera/scalar.hpp"

#include <cuda_pipeline.h>
#include <Kokkos_Core.hpp>

#include <cstdint>

// What the kernels of a factorisation do in the shared memory of a multiprocessor, in blocks of 16 x 16 numbers. What
// is missing in the last block is filled up with ones on the diagonal and zeros, which change nothing.
namespace tessera::kernels {

constexpr int width = 16;
constexpr int threads = 256;
constexpr int warps = threads / warp_size;

KOKKOS_FUNCTION constexpr int in_blocks(int n) { return (n + width - 1) / width; }

/// The shared memory of a team, which starts with `T`s. All that is in it is told by offsets, so that the compiler
/// knows where it is even in functions that are not inlined.
template <class T>
__device__ T* shared_memory() {
  extern __shared__ double2 memory[];
  return reinterpret_cast<T*>(memory);
}

/// Numbers in shared memory from number `first` on.
template <class T>
struct SharedVector {
  int first;

  __device__ T& operator[](int i) const { return shared_memory<T>()[first + i]; }
  __device__ SharedVector from(int i) const { return {first + i}; }
};

/// A column-major matrix in shared memory from number `first` on.
template <class T, int leading_dimension_>
struct Shared {
  static constexpr int leading_dimension = leading_dimension_;
  int first;

  __device__ T& operator()(int i, int j) const { return shared_memory<T>()[first + i + j * leading_dimension]; }
  __device__ Shared block(int i, int j) const { return {first + i * width + j * width * leading_dimension}; }
};
/// A leading dimension that keeps 8 rows of 4 columns in different banks.
template <class T>
KOKKOS_FUNCTION constexpr int padded(int rows) {
  return rows + (sizeof(T) > 8 ? 2 : 4);
}

/// Starts to copy into `to` the lower triangle of n columns of `from`, or m rows of them; finish_loads() waits. Above
/// the diagonal nothing is written.
template <bool lower, int height, class T, int lead>
__device__ void start_load(const T* from, std::int64_t leading_dimension, int m, int n, Shared<T, lead> to) {
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
__device__ inline void finish_loads() {
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
}

/// 1 / sqrt(x), without a branch: of finite normal x > 0. Of any other x it is infinite or NaN, or right.
__device__ inline double reciprocal_root(double x) {
  double y;  // of about 22 bits, infinite for 0
  asm("rsqrt.approx.ftz.f64 %0, %1;" : "=d"(y) : "d"(x));
  const double rest = fma(-x * y, y, 1.0);
  return fma(y * rest, fma(0.375, rest, 0.5), y);
}
__device__ inline float reciprocal_root(float x) {
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

/// c -= a conj(b), and c += a conj(b), in as few instructions as there are.
template <class Real>
__device__ void subtract_product_of(Real& c, Real a, Real b) {
  c = fma(-a, b, c);
}
template <class Real>
__device__ void subtract_product_of(Kokkos::complex<Real>& c, const Kokkos::complex<Real>& a,
                                    const Kokkos::complex<Real>& b) {
  c.real() = fma(-a.imag(), b.imag(), fma(-a.real(), b.real(), c.real()));
  c.imag() = fma(a.real(), b.imag(), fma(-a.imag(), b.real(), c.imag()));
}
template <class T>
__device__ void add_product_of(T& c, const T& a, const T& b) {
  subtract_product_of(c, -a, b);
}

/// D = L L^H for one block, by one warp, in memory, for any pivots: as the host has it, a positive one may be infinite
/// or denormal. `row` is that of A before this block. Not inlined, so that the usual way keeps its registers.
template <class T, int lead>
__device__ __noinline__ void factor_unusual_block(Shared<T, lead> d, SharedVector<detail::RealOf<T>> reciprocals,
                                                  std::int64_t row, std::int64_t* failing) {
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
template <class T, int lead>
__device__ void factor_block(Shared<T, lead> d, SharedVector<T> column, SharedVector<detail::RealOf<T>> reciprocals,
                             std::int64_t row, std::int64_t* failing) {
  using Real = detail::RealOf<T>;
  const int lane = kernels::lane();
  const int i = lane % width;
  T entries[width];
#pragma unroll
  for (int j = 0; j < width; ++j) entries[j] = d(i, j);
  bool usual = true;
#pragma unroll
  for (int k = 0; k < width; ++k) {
    const SharedVector<T> newest = column.from(k % 2 * width);
    newest[i] = entries[k];  // by two lanes, the same
    const Real pivot = __shfl_sync(all_lanes, detail::real(entries[k]), k);
    __syncwarp();
    const Real reciprocal = reciprocal_root(pivot);
    usual = usual && reciprocal < Real(INFINITY);
    const T in_l = entries[k] * reciprocal;
    const T scaled = in_l * reciprocal;
#pragma unroll
    for (int j = k + 1; j < width; ++j) subtract_product_of(entries[j], scaled, newest[j]);
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
template <class T, int of_b, int of_l>
__device__ void divide_row(Shared<T, of_b> b, int i, Shared<T, of_l> l, SharedVector<detail::RealOf<T>> reciprocals) {
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
    for (int k = j + 1; k < width; ++k) subtract_product_of(entries[k], entries[j], factors[j % 2][k]);
  }
#pragma unroll
  for (int j = 0; j < width; ++j) b(i, j) = entries[j];
}

/// Numbers that follow each other in shared memory, in loads or stores of up to 16 bytes.
template <class T, int count>
struct alignas(sizeof(T) * count < 16 ? sizeof(T) * count : 16) Run {
  T of[count];
};

/// C -= A B^H for a block of C, and so many in a row of A and of B, by one warp: a lane has a few rows of C in a few
/// columns, side by side. Numbers of A and B are on their way a column ahead.
template <class T, int of_a, int of_b>
__device__ void subtract_product(Shared<T, of_a> c, Shared<T, of_a> a, Shared<T, of_b> b, int blocks = 1) {
  constexpr int down = sizeof(T) < 8 ? 4 : 2;
  constexpr int across = 8 / down;
  const int i = lane() % (width / down) * down;
  const int j = lane() / (width / down) * across;
  T sums[down][across] = {};
#pragma unroll 1
  for (int block = 0; block < blocks; ++block) {
    Run<T, down> left[2];
    Run<T, across> right[2];
    const auto read = [&](int k) {
      left[k % 2] = *reinterpret_cast<const Run<T, down>*>(&a(i, block * width + k));
      right[k % 2] = *reinterpret_cast<const Run<T, across>*>(&b(j, block * width + k));
    };
    read(0);
#pragma unroll
    for (int k = 0; k < width; ++k) {
      if (k + 1 < width) read(k + 1);
      __syncwarp();
#pragma unroll
      for (int p = 0; p < down; ++p) {
#pragma unroll
        for (int q = 0; q < across; ++q) add_product_of(sums[p][q], left[k % 2].of[p], right[k % 2].of[q]);
      }
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
template <int of_a, int of_b>
__device__ void subtract_product(Shared<double, of_a> c, Shared<double, of_a> a, Shared<double, of_b> b,
                                 int blocks = 1) {
  const int row = lane() / 4;
  const int step = lane() % 4;
  Product products[2];
#pragma unroll 1
  for (int block = 0; block < blocks; ++block) {
    double left[4][2];
    double right[2][4];
#pragma unroll
    for (int s = 0; s < 4; ++s) {
      const int k = block * width + 4 * s + step;
#pragma unroll
      for (int t = 0; t < 2; ++t) {
        left[s][t] = b(row + 8 * t, k);
        right[t][s] = a(row + 8 * t, k);
      }
    }
#pragma unroll
    for (int t = 0; t < 2; ++t) products[t].add(left, right[t]);
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

/// Complex products of four real ones.
template <int of_a, int of_b>
__device__ void subtract_product(Shared<Kokkos::complex<double>, of_a> c, Shared<Kokkos::complex<double>, of_a> a,
                                 Shared<Kokkos::complex<double>, of_b> b, int blocks = 1) {
  const int row = lane() / 4;
  const int step = lane() % 4;
  Product real[2];
  Product imag[2];
#pragma unroll 1
  for (int block = 0; block < blocks; ++block) {
    double re[4][2];
    double im[4][2];
    double minus_re[4][2];
#pragma unroll
    for (int s = 0; s < 4; ++s) {
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        const Kokkos::complex<double> entry = a(row + 8 * h, block * width + 4 * s + step);
        re[s][h] = entry.real();
        im[s][h] = entry.imag();
        minus_re[s][h] = -entry.real();
      }
    }
#pragma unroll
    for (int t = 0; t < 2; ++t) {
      double of_re[4];
      double of_im[4];
#pragma unroll
      for (int s = 0; s < 4; ++s) {
        const Kokkos::complex<double> entry = b(row + 8 * t, block * width + 4 * s + step);
        of_re[s] = entry.real();
        of_im[s] = entry.imag();
      }
      real[t].add(re, of_re);
      imag[t].add(im, of_re);
      real[t].add(im, of_im);
      imag[t].add(minus_re, of_im);
    }
  }
#pragma unroll
  for (int t = 0; t < 2; ++t) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        c(row + 8 * h, 8 * t + 2 * step + e) -= Kokkos::complex<double>(real[t].of[h][e], imag[t].of[h][e]);
      }
    }
  }
}

/// A = L L^H for the lower triangle of so many blocks, right-looking, block column by block column. While one warp
/// factors a block on the diagonal, which takes as long as anything, the others update what is right of it. `column`:
/// room for two columns of a block. `row`, `failing`: as kernels::potrf's.
template <class T, int lead>
__device__ __noinline__ void factor_blocks(Shared<T, lead> l, int blocks, SharedVector<T> column,
                                           SharedVector<detail::RealOf<T>> reciprocals, std::int64_t row,
                                           std::int64_t* failing) {
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = kernels::warp();
#pragma unroll 1
  for (int k = 0; k < blocks; ++k) {
    if (warp == 0) {  // A(k,k) = L(k,k) L(k,k)^H
      factor_block(l.block(k, k), column, reciprocals.from(k * width), row + k * width, failing);
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
      divide_row(l.block(k + 1, k), thread, l.block(k, k), reciprocals.from(k * width));
    }
    __syncthreads();
    for (int i = k + 1 + warp; i < blocks; i += warps) {  // A(i,k+1) -= L(i,k) L(k+1,k)^H
      subtract_product(l.block(i, k + 1), l.block(i, k), l.block(k + 1, k));
    }
    __syncthreads();
  }
}

/// B = B L^-H for so many blocks of rows of B, each by a warp: left-looking, block column by block column.
template <class T, int of_b, int of_l>
__device__ __noinline__ void divide_blocks(Shared<T, of_b> b, int high, Shared<T, of_l> l, int blocks,
                                           SharedVector<detail::RealOf<T>> reciprocals) {
  for (int i = warp(); i < high; i += warps) {
#pragma unroll 1
    for (int k = 0; k < blocks; ++k) {
      if (k > 0) subtract_product(b.block(i, k), b.block(i, 0), l.block(k, 0), k);  // B(i,k) -= B(i,:k) L(k,:k)^H
      __syncwarp();
      if (lane() < width) divide_row(b.block(i, k), lane(), l.block(k, k), reciprocals.from(k * width));
      __syncwarp();
    }
  }
  __syncthreads();
}

}  // namespace tessera::kernels

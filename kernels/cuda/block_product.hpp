// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/cuda/tile_blocks.hpp"

// Products A B^H of a team, with the sums in its registers.
namespace tessera::kernels {

/// Rows of A, twice as many as of B; a team goes through `depth` columns of both at a time.
template <class T>
struct ProductShape {
  static constexpr int columns = sizeof(T) > 8 ? 32 : 64;
  static constexpr int rows = 2 * columns;
  static constexpr int depth = 32;
  using Left = Shared<T, padded<T>(rows)>;
  using Right = Shared<T, padded<T>(columns)>;
};

/// sums += A B^H by multiplications of single threads, each of which has 8 rows in 4 columns.
template <class T>
class BlockProduct {
 public:
  using Shape = ProductShape<T>;

  __device__ void add(typename Shape::Left a, typename Shape::Right b, int begin, int end) {
    Run<T, run> left[rows / run];
    Run<T, run> right[columns / run];
#pragma unroll 4
    for (int k = begin; k < end; ++k) {
#pragma unroll
      for (int g = 0; g < rows / run; ++g) left[g] = *reinterpret_cast<const Run<T, run>*>(&a(row(g), k));
#pragma unroll
      for (int g = 0; g < columns / run; ++g)
        right[g] = *reinterpret_cast<const Run<T, run>*>(&b(column() + g * run, k));
#pragma unroll
      for (int p = 0; p < rows; ++p) {
#pragma unroll
        for (int q = 0; q < columns; ++q) {
          add_product_of(sums_[p][q], left[p / run].of[p % run], right[q / run].of[q % run]);
        }
      }
    }
  }

  /// f(i, j, sum) for each that this thread has.
  template <class F>
  __device__ void for_each(const F& f) const {
#pragma unroll
    for (int p = 0; p < rows; ++p) {
#pragma unroll
      for (int q = 0; q < columns; ++q) f(row(p / run) + p % run, column() + q, sums_[p][q]);
    }
  }

 private:
  static constexpr int rows = 8;
  static constexpr int columns = 4;
  static constexpr int across = Shape::columns / columns;  // threads
  static constexpr int run = 16 / static_cast<int>(sizeof(T));

  static __device__ int row(int group) {
    return (group * (threads / across) + static_cast<int>(threadIdx.x) % (threads / across)) * run;
  }
  static __device__ int column() { return static_cast<int>(threadIdx.x) / (threads / across) * columns; }

  T sums_[rows][columns] = {};
};

/// The same by tensor cores: a warp has a quarter of the rows in half of the columns.
template <>
class BlockProduct<double> {
 public:
  using Shape = ProductShape<double>;

  __device__ void add(Shape::Left a, Shape::Right b, int begin, int end) {
    const double* const left = &a(row() + lane() / 4, lane() % 4);
    const double* const right = &b(column() + lane() / 4, lane() % 4);
#pragma unroll
    for (int first = begin; first < end; first += 16) {
      double of_a[down][4][2];
      double of_b[across][4];
#pragma unroll
      for (int s = 0; s < 4; ++s) {
        const int k = first + 4 * s;
#pragma unroll
        for (int p = 0; p < down; ++p) {
          of_a[p][s][0] = left[16 * p + k * a.leading_dimension];
          of_a[p][s][1] = left[16 * p + 8 + k * a.leading_dimension];
        }
#pragma unroll
        for (int q = 0; q < across; ++q) of_b[q][s] = right[8 * q + k * b.leading_dimension];
      }
#pragma unroll
      for (int p = 0; p < down; ++p) {
#pragma unroll
        for (int q = 0; q < across; ++q) sums_[p][q].add(of_a[p], of_b[q]);
      }
    }
  }

  template <class F>
  __device__ void for_each(const F& f) const {
#pragma unroll
    for (int p = 0; p < down; ++p) {
#pragma unroll
      for (int q = 0; q < across; ++q) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
#pragma unroll
          for (int e = 0; e < 2; ++e) {
            f(row() + 16 * p + 8 * h + lane() / 4, column() + 8 * q + lane() % 4 * 2 + e, sums_[p][q].of[h][e]);
          }
        }
      }
    }
  }

 private:
  static constexpr int down = Shape::rows / 4 / 16;
  static constexpr int across = Shape::columns / 2 / 8;

  static __device__ int row() { return warp() % 4 * (16 * down); }
  static __device__ int column() { return warp() / 4 * (8 * across); }

  Product sums_[down][across];
};

/// Complex products of four real ones.
template <>
class BlockProduct<Kokkos::complex<double>> {
 public:
  using T = Kokkos::complex<double>;
  using Shape = ProductShape<T>;

  __device__ void add(Shape::Left a, Shape::Right b, int begin, int end) {
    const T* const left = &a(row() + lane() / 4, lane() % 4);
    const T* const right = &b(column() + lane() / 4, lane() % 4);
#pragma unroll
    for (int first = begin; first < end; first += 16) {
      double re[4][2];
      double im[4][2];
      double minus_re[4][2];
#pragma unroll
      for (int k = 0; k < 4; ++k) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          const T entry = left[8 * h + (first + 4 * k) * a.leading_dimension];
          re[k][h] = entry.real();
          im[k][h] = entry.imag();
          minus_re[k][h] = -entry.real();
        }
      }
#pragma unroll
      for (int q = 0; q < across; ++q) {
        double of_re[4];
        double of_im[4];
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          const T entry = right[8 * q + (first + 4 * k) * b.leading_dimension];
          of_re[k] = entry.real();
          of_im[k] = entry.imag();
        }
        real_[q].add(re, of_re);
        imag_[q].add(im, of_re);
        real_[q].add(im, of_im);
        imag_[q].add(minus_re, of_im);
      }
    }
  }

  template <class F>
  __device__ void for_each(const F& f) const {
#pragma unroll
    for (int q = 0; q < across; ++q) {
#pragma unroll
      for (int h = 0; h < 2; ++h) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          f(row() + 8 * h + lane() / 4, column() + 8 * q + lane() % 4 * 2 + e, T(real_[q].of[h][e], imag_[q].of[h][e]));
        }
      }
    }
  }

 private:
  static constexpr int across = Shape::columns / 2 / 8;
  static_assert(Shape::rows == 4 * 16);

  static __device__ int row() { return warp() % 4 * 16; }
  static __device__ int column() { return warp() / 4 * (8 * across); }

  Product real_[across];
  Product imag_[across];
};

}  // namespace tessera::kernels

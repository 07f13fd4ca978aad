#pragma once

#include "kernels/cuda/tile_blocks.hpp"

#include <type_traits>

// Products A B^H of a team, with the sums in its registers.
namespace tessera::kernels {

/// Rows of A, twice as many as of B; a team goes through `depth` columns of both at a time.
template <class T>
struct ProductShape {
  static constexpr int columns = sizeof(T) > 8 ? 32 : 64;
  static constexpr int rows = 2 * columns;
  static constexpr int depth = 16;
};

/// sums += A B^H by multiplications of single threads, each of which has 8 rows in 4 columns.
template <class T>
class BlockProduct {
 public:
  using Shape = ProductShape<T>;

  __device__ void add(const Shared<T>& a, const Shared<T>& b) {
    Run<T, run> left[rows / run];
    Run<T, run> right[columns / run];
#pragma unroll 4
    for (int k = 0; k < Shape::depth; ++k) {
#pragma unroll
      for (int g = 0; g < rows / run; ++g) left[g] = *reinterpret_cast<const Run<T, run>*>(&a(row(g), k));
#pragma unroll
      for (int g = 0; g < columns / run; ++g) right[g] = *reinterpret_cast<const Run<T, run>*>(&b(column() + g * run, k));
#pragma unroll
      for (int p = 0; p < rows; ++p) {
#pragma unroll
        for (int q = 0; q < columns; ++q) sums_[p][q] += left[p / run].of[p % run] * detail::conj(right[q / run].of[q % run]);
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

  __device__ void add(const Shared<double>& a, const Shared<double>& b) {
    const double* const left = &a(row() + lane() / 4, lane() % 4);
    const double* const right = &b(column() + lane() / 4, lane() % 4);
#pragma unroll
    for (int k = 0; k < Shape::depth; k += 4) {
      double of_a[down][2];
      double of_b[across];
#pragma unroll
      for (int p = 0; p < down; ++p) {
        of_a[p][0] = left[16 * p + k * a.leading_dimension];
        of_a[p][1] = left[16 * p + 8 + k * a.leading_dimension];
      }
#pragma unroll
      for (int q = 0; q < across; ++q) of_b[q] = right[8 * q + k * b.leading_dimension];
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

  __device__ void add(const Shared<T>& a, const Shared<T>& b) {
    const T* const left = &a(row() + lane() / 4, lane() % 4);
    const T* const right = &b(column() + lane() / 4, lane() % 4);
#pragma unroll
    for (int k = 0; k < Shape::depth; k += 4) {
      const T upper = left[k * a.leading_dimension];
      const T lower = left[8 + k * a.leading_dimension];
      const double re[2] = {upper.real(), lower.real()};
      const double im[2] = {upper.imag(), lower.imag()};
      const double minus_re[2] = {-re[0], -re[1]};
#pragma unroll
      for (int q = 0; q < across; ++q) {
        const T of_b = right[8 * q + k * b.leading_dimension];
        real_[q].add(re, of_b.real());
        imag_[q].add(im, of_b.real());
        real_[q].add(im, of_b.imag());
        imag_[q].add(minus_re, of_b.imag());
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
          f(row() + 8 * h + lane() / 4, column() + 8 * q + lane() % 4 * 2 + e,
            T(real_[q].of[h][e], imag_[q].of[h][e]));
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

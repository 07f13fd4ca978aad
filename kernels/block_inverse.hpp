// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/matrix_view.hpp"
#include "tessera/scalar.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace tessera::kernels {

/// On the host, the inverse X of a lower triangular block of L. Many right-hand sides are multiplied by it several
/// times as fast as a BLAS substitutes, which takes small blocks one number at a time.
template <class T, class MemorySpace>
class BlockInverse {
 public:
  using Block = MatrixView<const T, MemorySpace>;

  static constexpr std::int64_t most_rows = 64;

  explicit BlockInverse(const Block& l) : n_(static_cast<std::int64_t>(l.extent(0))) {
    // From the last column on, of column j of L and the columns right of it: X(i,j) = -X(i,j+1:i) L(j+1:i,j) / L(j,j).
    for (std::int64_t j = n_ - 1; j >= 0; --j) {
      T sums[most_rows] = {};
      std::int64_t k = j + 1;
      for (; k + together <= n_; k += together) add_columns<together>(l, j, k, sums);
      for (; k < n_; ++k) add_columns<1>(l, j, k, sums);
      const T reciprocal(Real(1) / detail::real(l(j, j)));
      T* const to = column(j);
      for (std::int64_t i = std::max<std::int64_t>(0, j - together + 1); i < j; ++i) to[i] = T(0);
      to[j] = reciprocal;
      for (std::int64_t i = j + 1; i < n_; ++i) to[i] = sums[i] * -reciprocal;
    }
    check(l);
  }

  /// Whether products with X are about as accurate as substitution. Their residual is at most about u |L| |X| |b|, and
  /// where |X L - I| <= u |X| |L| alone is known, |L| |X| |L| |X| |b|: so |L| |X| must be no more than the rows of a
  /// block (Higham, Accuracy and Stability of Numerical Algorithms, chapter 14).
  bool is_accurate() const { return is_accurate_; }

  Block view() const { return make_matrix_view<MemorySpace>(x_, n_, n_, most_rows); }

 private:
  using Real = detail::RealOf<T>;

  static constexpr int together = 4;  // columns that are added while a sum is in a register

  T* column(std::int64_t j) { return x_ + j * most_rows; }

  /// sums(i) += X(i,k:k+count) L(k:k+count,j)
  template <int count>
  void add_columns(const Block& l, std::int64_t j, std::int64_t k, T* sums) {
    T factors[count];
    for (int c = 0; c < count; ++c) factors[c] = l(k + c, j);
    const T* const from = column(k);
    for (std::int64_t i = k; i < n_; ++i) {
      T sum = sums[i];
      for (int c = 0; c < count; ++c) sum += from[i + c * most_rows] * factors[c];
      sums[i] = sum;
    }
  }

  /// The row sums of |L| |X|, and of |L|^H |X|^H.
  void check(const Block& l) {
    Real x_rows[most_rows] = {};
    Real x_columns[most_rows] = {};
    Real rows[most_rows] = {};
    Real columns[most_rows] = {};
    for (std::int64_t j = 0; j < n_; ++j) {
      for (std::int64_t i = j; i < n_; ++i) {
        x_rows[i] += size_of(column(j)[i]);
        x_columns[j] += size_of(column(j)[i]);
      }
    }
    for (std::int64_t j = 0; j < n_; ++j) {
      for (std::int64_t i = j; i < n_; ++i) {
        rows[i] += size_of(l(i, j)) * x_rows[j];
        columns[j] += size_of(l(i, j)) * x_columns[i];
      }
    }
    for (std::int64_t i = 0; i < n_; ++i) {
      is_accurate_ = is_accurate_ && rows[i] <= Real(most_rows) && columns[i] <= Real(most_rows);  // a NaN is not
    }
  }

  static Real size_of(const T& x) {
    if constexpr (std::is_same_v<T, Real>) {
      return std::abs(x);
    } else {
      return std::abs(x.real()) + std::abs(x.imag());
    }
  }

  std::int64_t n_;
  bool is_accurate_ = true;
  T x_[most_rows * most_rows];  // by columns; above the diagonal but a few zeros
};

}  // namespace tessera::kernels

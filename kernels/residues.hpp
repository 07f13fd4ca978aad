// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/moduli.hpp"
#include "kernels/queue.hpp"
#include "kernels/square_sum.hpp"
#include "tessera/matrix_view.hpp"
#include "tessera/scalar.hpp"

#include <Kokkos_Core.hpp>

#include <cmath>
#include <cstdint>
#include <type_traits>

// An update C -= A B^H of which the rows of A and B have been scaled and rounded to integers: residues of these, their
// products modulo each modulus, and the way back.
namespace tessera::kernels {

/// Products for each modulus. Complex: (a + b i) (u + v i) by three, a u, b v and (a + b) (u + v), whose sums and
/// differences modulo p cancel nothing.
template <class T>
inline constexpr int planes_per_modulus = std::is_same_v<T, detail::RealOf<T>> ? 1 : 3;

/// Residues of rows of integers. Plane t n_p + q, for modulus t and the product q of n_p = planes_per_modulus<T>, has
/// the bytes of a row side by side.
struct Residues {
  std::int8_t* data = nullptr;
  std::int64_t row = 0;    ///< bytes from a row to the next
  std::int64_t plane = 0;  ///< and from a plane to the next
};

/// For each row, what it is multiplied by before it is rounded to integers, a power of two or a number of five binary
/// digits, and the inverse. Integers times scales, multiplied by the inverses, are exactly what they were: 1 / m is so
/// near to a double for each m below 49.
struct RowScales {
  double* up = nullptr;
  double* down = nullptr;
};

/// How the numbers of a row become integers: the nearest ones or, with a threshold for each position of the row, by
/// magnitude the next one up where the fraction is above the threshold, and down where it is not. With thresholds
/// at random from (0, 1) this does so with the fraction as its probability, so that the errors of equal numbers cancel
/// out. Integers and signs stay what they are.
struct Rounding {
  const float* thresholds = nullptr;

  KOKKOS_INLINE_FUNCTION double operator()(double x, std::int64_t position) const {
    if (thresholds == nullptr) return std::rint(x);
    const double size = std::fabs(x);
    const double down = std::floor(size);
    return std::copysign(size - down > static_cast<double>(thresholds[position]) ? down + 1 : down, x);
  }
};

/// Of `count` rows, whose squares add up to square_sums: the largest powers of two with which their 2-norms are at most
/// `norm`. 0, and so the integers, where a sum is not positive and finite: beside a pivot of +Inf a row loses what its
/// numbers would have changed, which is nothing to sqrt(A(i, i) A(j, j)).
template <class Exec>
void make_row_scales(const Exec& exec, const double* square_sums, std::int64_t count, double norm,
                     const RowScales& scales);

/// The same of rows whose squares are these sums, which may be beyond a double's exponents, in numbers of five binary
/// digits, which come closer to `norm`. Returns whether all rows have scales: not those whose sum is not finite, nor
/// those that are so small that a double could not hold them.
template <class Exec>
bool make_row_scales(const Exec& exec, const SquareSum* square_sums, std::int64_t count, double norm,
                     const RowScales& scales);

/// Columns as rows of residues have them: the integers of a tile's columns, and zeros up to a multiple of `alignment`,
/// which products of bytes want.
struct PaddedColumns {
  static constexpr std::int64_t alignment = 16;

  std::int64_t tile = 1;

  KOKKOS_FUNCTION static constexpr std::int64_t padded(std::int64_t columns) {
    return (columns + alignment - 1) / alignment * alignment;
  }
  /// Where the column is, or, if it is one after the last, where the padding ends.
  KOKKOS_FUNCTION constexpr std::int64_t position(std::int64_t column) const {
    return column / tile * padded(tile) + padded(column % tile);
  }
  /// The column there, or -1.
  KOKKOS_FUNCTION constexpr std::int64_t column_at(std::int64_t position) const {
    if (tile == padded(tile)) return position;
    const std::int64_t in_tile = position % padded(tile);
    return in_tile < tile ? position / padded(tile) * tile + in_tile : -1;
  }
};

/// For each row, the squares of its integers so far, and the first column from which on they are not all represented:
/// the sum has come to Moduli::largest_square_sum, or something is not finite.
struct RowSums {
  double* squares = nullptr;
  std::int64_t* exact_until = nullptr;
};

/// Residues of scale(i) a(i, j), rounded, where a(:, 0), column `first`, is the first one of a tile. Adds to the rows'
/// sums, unless these are null.
/// @param moduli in the memory of `exec`, as all that pointers point to
template <class T, class Exec>
void left_residues(const Exec& exec, const Moduli* moduli, int count,
                   const MatrixView<const T, typename Exec::memory_space>& a, PaddedColumns columns,
                   const double* scale, const Residues& residues, const RowSums& sums, std::int64_t first,
                   Rounding rounding = {});

/// Residues of scale(j) b(i, j), rounded, i along a row of residues. A number that no row within largest_square_sum has
/// counts as 0.
template <class T, class Exec>
void right_residues(const Exec& exec, const Moduli* moduli, int count,
                    const MatrixView<const T, typename Exec::memory_space>& b, PaddedColumns columns,
                    const double* scale, const Residues& residues, Rounding rounding = {});

/// The residues of complex numbers' conjugates, `length` bytes of each row; `to` may be `from`.
template <class Exec>
void conjugate_residues(const Exec& exec, const Moduli* moduli, int count, std::int64_t rows, std::int64_t length,
                        const Residues& from, const Residues& to);

/// The dot products of rows of residues, column-major for each plane; columns and planes begin at multiples of 4, and
/// what is beyond the last row up to one may be written and read.
struct ResidueProducts {
  std::int32_t* data = nullptr;
  std::int64_t leading_dimension = 0;
  std::int64_t plane = 0;
};

/// The most bytes of a row whose products, each up to 2^14, an int32 holds.
inline constexpr std::int64_t most_depth = (std::int64_t{1} << 17) - PaddedColumns::alignment;

/// Rows of residues that multiply_residues may read: it takes a multiple of 4 from any row on.
constexpr std::int64_t rows_with_margin(std::int64_t rows) { return PaddedColumns::padded(rows + 3); }

/// products(i, j) = left(i) . right(j) in each of `planes` planes, or, if it accumulates, products(i, j) += this; exact
/// while the depths add up to most_depth at most. A device works on multiples of 4 rows: beyond the last row, what is
/// in `left` is read and `products` is written.
template <class Exec>
void multiply_residues(Queue<Exec>& queue, int planes, std::int64_t rows, std::int64_t columns, std::int64_t depth,
                       const Residues& left, const Residues& right, const ResidueProducts& products,
                       bool accumulates = false);

/// How integers of rows and columns become numbers again.
struct Unscale {
  const double* rows = nullptr;  ///< 1 / scale
  const double* columns = nullptr;
  const std::int64_t* exact_until = nullptr;  ///< of the rows; null: they are exact
  std::int64_t end = 0;                       ///< the column after the last one of the products
};

/// C = beta C - products / scales; NaN in rows that are exact only until a column before `end`.
template <class T, class Exec>
void subtract_products(const Exec& exec, const Moduli* moduli, int count, const ResidueProducts& products,
                       const Unscale& unscale, T beta, const MatrixView<T, typename Exec::memory_space>& c);

/// C = C + alpha products / scales.
template <class T, class Exec>
void add_products(const Exec& exec, const Moduli* moduli, int count, const ResidueProducts& products,
                  const Unscale& unscale, double alpha, const MatrixView<T, typename Exec::memory_space>& c);

}  // namespace tessera::kernels

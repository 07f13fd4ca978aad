#include "kernels/residues.hpp"

#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"

#include <cmath>

namespace tessera::kernels {
namespace {

struct MakeRowScales {
  const double* square_sums;
  double norm;
  RowScales scales;

  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    const double sum = square_sums[i];
    scales.up[i] = scales.down[i] = 0;
    if (!(sum > 0) || std::isinf(sum)) return;
    const double row = std::sqrt(sum);
    int exponent = std::ilogb(norm) - std::ilogb(row);
    if (std::ldexp(row, exponent) > norm) --exponent;
    scales.up[i] = std::ldexp(1., exponent);
    scales.down[i] = std::ldexp(1., -exponent);
  }
};

/// Neighbours in a row of residues, which are written together.
struct alignas(4) Quad {
  static constexpr int size = 4;
  std::int8_t residue[size];
};

/// The nearest integer to |x| < 2^22, or, in double precision, 2^51: faster than std::rint.
template <class R>
KOKKOS_INLINE_FUNCTION R nearest(R x) {
  constexpr R units = sizeof(R) == 4 ? R(0x1.8p23) : R(0x1.8p52);  // whose last digit is 1
  return (x + units) - units;
}

/// x modulo p for an integer |x| < 2^21: from -p / 2 to (p - 1) / 2, but that p / 2 may come for -p / 2, which is the
/// same byte. No x / p but for p = 256 is so close to the middle of two integers that it could be rounded wrongly.
KOKKOS_INLINE_FUNCTION float residue(float x, float p, float inverse) { return x - p * nearest(x * inverse); }

KOKKOS_INLINE_FUNCTION std::int8_t byte(float residue) { return static_cast<std::int8_t>(static_cast<int>(residue)); }

/// An integer in digits of 12 bits, the lowest first.
struct Digits {
  float digit[Moduli::digits] = {};

  KOKKOS_INLINE_FUNCTION explicit Digits(double x) {
    for (int k = 0; k + 1 < Moduli::digits; ++k) {
      const double rest = nearest(x * 0x1p-12);
      digit[k] = static_cast<float>(x - 0x1p12 * rest);
      x = rest;
    }
    digit[Moduli::digits - 1] = static_cast<float>(x);
  }
  Digits() = default;

  KOKKOS_INLINE_FUNCTION float residue(const Moduli& moduli, int t) const {
    float sum = digit[0];
    for (int k = 1; k < Moduli::digits; ++k) sum += digit[k] * moduli.power[k][t];
    return kernels::residue(sum, moduli.modulus[t], moduli.inverse[t]);
  }
};

/// The integers of four neighbours, by real and imaginary part.
template <class T>
struct Integers {
  Digits re[Quad::size];
  Digits im[Quad::size];

  /// Number k is rint(scale x), or 0 where that is too large for any row. Returns its square.
  KOKKOS_INLINE_FUNCTION double set(int k, const T& x, double scale, double largest_square) {
    const double a = std::rint(static_cast<double>(detail::real(x)) * scale);
    double b = 0;
    if constexpr (planes_per_modulus<T> == 3) b = std::rint(static_cast<double>(x.imag()) * scale);
    const double square = a * a + b * b;
    const bool fits = square < largest_square;
    re[k] = Digits(fits ? a : 0);
    if constexpr (planes_per_modulus<T> == 3) im[k] = Digits(fits ? b : 0);
    return square;
  }

  /// Residues of the two parts, and of their sum where there are two, for all moduli: of four bytes of a row, `at`.
  KOKKOS_INLINE_FUNCTION void write(const Moduli& moduli, int count, std::int8_t* at, std::int64_t plane) const {
    for (int t = 0; t < count; ++t) {
      Quad quads[planes_per_modulus<T>];
      for (int k = 0; k < Quad::size; ++k) {
        const float a = re[k].residue(moduli, t);
        quads[0].residue[k] = byte(a);
        if constexpr (planes_per_modulus<T> == 3) {
          const float b = im[k].residue(moduli, t);
          quads[1].residue[k] = byte(b);
          quads[2].residue[k] = byte(residue(a + b, moduli.modulus[t], moduli.inverse[t]));
        }
      }
      for (const Quad& quad : quads) {
        *reinterpret_cast<Quad*>(at) = quad;
        at += plane;
      }
    }
  }
};

/// A team takes a few rows, and of them some columns at a time through scratch memory, as the columns of `a` stand
/// apart.
template <class T, class Exec>
struct LeftResidues {
  using Member = typename Kokkos::TeamPolicy<Exec>::member_type;
  static constexpr int rows_of_team = 8;
  static constexpr int width = 128;
  static constexpr int quads = width / Quad::size;
  static constexpr int threads = rows_of_team * quads;
  static constexpr int stride = rows_of_team + 1;  // fewer bank conflicts
  static constexpr int scratch_bytes = width * stride * static_cast<int>(sizeof(T)) + threads * 8 + 16;

  const Moduli* moduli;
  int count;
  MatrixView<const T, typename Exec::memory_space> a;
  PaddedColumns columns;
  const double* scale;
  Residues residues;
  RowSums sums;
  std::int64_t first;

  KOKKOS_FUNCTION void operator()(const Member& team) const {
    double* const squares = static_cast<double*>(team.team_scratch(0).get_shmem_aligned(threads * 8, 8));
    T* const block = static_cast<T*>(team.team_scratch(0).get_shmem_aligned(width * stride * sizeof(T), sizeof(T)));
    const auto rows = static_cast<std::int64_t>(a.extent(0));
    const std::int64_t row0 = std::int64_t{team.league_rank()} * rows_of_team;
    const std::int64_t end = columns.position(static_cast<std::int64_t>(a.extent(1)));
    const double largest_square = moduli->largest_square_sum;
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, threads), [&](int k) { squares[k] = 0; });
    for (std::int64_t at = 0; at < end; at += width) {
      team.team_barrier();
      Kokkos::parallel_for(Kokkos::TeamThreadRange(team, rows_of_team * width), [&](int k) {
        const std::int64_t i = row0 + k % rows_of_team;
        const std::int64_t j = columns.column_at(at + k / rows_of_team);
        const bool is_there = i < rows && j >= 0 && j < static_cast<std::int64_t>(a.extent(1));
        block[k / rows_of_team * stride + k % rows_of_team] = is_there ? a(i, j) : T(0);
      });
      team.team_barrier();
      Kokkos::parallel_for(Kokkos::TeamThreadRange(team, threads), [&](int k) {
        const int i = k / quads;
        const int quad = k % quads * Quad::size;
        if (row0 + i >= rows || at + quad >= end) return;
        Integers<T> integers;
        double square = 0;
        for (int q = 0; q < Quad::size; ++q) {
          square += integers.set(q, block[(quad + q) * stride + i], scale[row0 + i], largest_square);
        }
        squares[k] += square;
        integers.write(*moduli, count, residues.data + (row0 + i) * residues.row + at + quad, residues.plane);
      });
    }
    team.team_barrier();
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, rows_of_team), [&](int i) {
      const std::int64_t row = row0 + i;
      if (row >= rows) return;
      double sum = sums.squares[row];
      for (int k = 0; k < quads; ++k) sum += squares[i * quads + k];
      sums.squares[row] = sum;
      if (!(sum < largest_square) && sums.exact_until[row] > first) sums.exact_until[row] = first;
    });
  }
};

template <class T, class Space>
struct RightResidues {
  const Moduli* moduli;
  int count;
  MatrixView<const T, Space> b;
  PaddedColumns columns;
  const double* scale;
  Residues residues;

  KOKKOS_FUNCTION void operator()(std::int64_t quad, std::int64_t row) const {
    Integers<T> integers;
    for (int q = 0; q < Quad::size; ++q) {
      const std::int64_t i = columns.column_at(quad * Quad::size + q);
      if (i < 0 || i >= static_cast<std::int64_t>(b.extent(0))) continue;
      integers.set(q, b(i, row), scale[row], moduli->largest_square_sum);
    }
    integers.write(*moduli, count, residues.data + row * residues.row + quad * Quad::size, residues.plane);
  }
};

/// Of complex numbers the conjugates' residues.
struct Conjugate {
  const Moduli* moduli;
  int count;
  Residues from;
  Residues to;

  KOKKOS_FUNCTION void operator()(std::int64_t quad, std::int64_t row) const {
    const auto at = [&](const Residues& residues, std::int64_t plane) {
      return reinterpret_cast<Quad*>(residues.data + plane * residues.plane + row * residues.row + quad * Quad::size);
    };
    for (int t = 0; t < count; ++t) {
      const Quad re = *at(from, 3 * t);
      const Quad im = *at(from, 3 * t + 1);
      Quad minus_im;
      Quad sum;
      for (int k = 0; k < Quad::size; ++k) {
        const auto of = [&](int x) {
          return byte(residue(static_cast<float>(x), moduli->modulus[t], moduli->inverse[t]));
        };
        minus_im.residue[k] = of(-im.residue[k]);
        sum.residue[k] = of(re.residue[k] - im.residue[k]);
      }
      *at(to, 3 * t) = re;
      *at(to, 3 * t + 1) = minus_im;
      *at(to, 3 * t + 2) = sum;
    }
  }
};

/// A dot product for each plane, which a host's compiler makes vectors of.
struct MultiplyResidues {
  int planes;
  std::int64_t depth;
  Residues left;
  Residues right;
  ResidueProducts products;

  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t j) const {
    for (int t = 0; t < planes; ++t) {
      const std::int8_t* const a = left.data + t * left.plane + i * left.row;
      const std::int8_t* const b = right.data + t * right.plane + j * right.row;
      std::int32_t sum = 0;
      for (std::int64_t k = 0; k < depth; ++k) sum += std::int32_t{a[k]} * std::int32_t{b[k]};
      products.data[t * products.plane + j * products.leading_dimension + i] = sum;
    }
  }
};

/// The number that has given residues: sums of parts, each of which a double holds exactly.
struct FromResidues {
  double parts[Moduli::parts] = {};

  KOKKOS_INLINE_FUNCTION void add(const Moduli& moduli, int t, double residue) {
    for (int i = 0; i < Moduli::parts; ++i) parts[i] += residue * moduli.weight[i][t];
  }
  /// Rounded to a double.
  KOKKOS_INLINE_FUNCTION double value(const Moduli& moduli) const {
    static_assert(Moduli::parts == 3);
    const double multiple = std::rint((parts[0] + (parts[1] + parts[2])) * moduli.product_inverse);
    double rest[Moduli::parts];
    for (int i = 0; i < Moduli::parts; ++i) rest[i] = parts[i] - multiple * moduli.product[i];
    return rest[0] + (rest[1] + rest[2]);
  }
};

/// Products of four rows, which are read together.
struct alignas(16) QuadOfProducts {
  std::int32_t of_row[Quad::size];
};

/// A thread takes four rows and two columns, for which it reads a modulus once.
template <class T, class Space>
struct SubtractProducts {
  static constexpr int columns = 2;
  static constexpr int parts = planes_per_modulus<T> == 1 ? 1 : 2;  // real and imaginary

  const Moduli* moduli;
  int count;
  ResidueProducts products;
  Unscale unscale;
  bool adds_to_zero;
  MatrixView<T, Space> c;

  KOKKOS_FUNCTION std::int64_t quads() const {
    return (static_cast<std::int64_t>(c.extent(0)) + Quad::size - 1) / Quad::size;
  }

  KOKKOS_FUNCTION void operator()(std::int64_t index) const {
    const std::int64_t row = index % quads() * Quad::size;
    const std::int64_t column = index / quads() * columns;
    const std::int32_t* at = products.data + column * products.leading_dimension + row;
    const bool has_second = column + 1 < static_cast<std::int64_t>(c.extent(1));
    const std::int64_t second = has_second ? products.leading_dimension : 0;
    FromResidues sums[columns][Quad::size][parts];
    for (int t = 0; t < count; ++t, at += planes_per_modulus<T> * products.plane) {
      add(t, at, sums[0]);
      add(t, at + second, sums[1]);
    }
    for (int q = 0; q < Quad::size && row + q < static_cast<std::int64_t>(c.extent(0)); ++q) {
      subtract(row + q, column, sums[0][q]);
      if (has_second) subtract(row + q, column + 1, sums[1][q]);
    }
  }

 private:
  KOKKOS_INLINE_FUNCTION void add(int t, const std::int32_t* at, FromResidues (&sums)[Quad::size][parts]) const {
    const auto* const first = reinterpret_cast<const QuadOfProducts*>(at);
    if constexpr (parts == 1) {
      const QuadOfProducts x = *first;
      for (int q = 0; q < Quad::size; ++q) sums[q][0].add(*moduli, t, double{of_sum(t, x.of_row[q])});
    } else {
      const QuadOfProducts x = *first;
      const QuadOfProducts y = *reinterpret_cast<const QuadOfProducts*>(at + products.plane);
      const QuadOfProducts z = *reinterpret_cast<const QuadOfProducts*>(at + 2 * products.plane);
      for (int q = 0; q < Quad::size; ++q) {
        const float a = of_sum(t, x.of_row[q]);
        const float b = of_sum(t, y.of_row[q]);
        sums[q][0].add(*moduli, t, double{a - b});
        sums[q][1].add(*moduli, t, double{of_sum(t, z.of_row[q]) - a - b});
      }
    }
  }

  /// A sum of products modulo p_t: of its upper and lower 16 bits.
  KOKKOS_INLINE_FUNCTION float of_sum(int t, std::int32_t sum) const {
    const std::int32_t x = (sum >> 16) * moduli->power_of_sum[t] + (sum & 0xffff);
    return residue(static_cast<float>(x), moduli->modulus[t], moduli->inverse[t]);
  }

  KOKKOS_INLINE_FUNCTION void subtract(std::int64_t i, std::int64_t j, const FromResidues (&sums)[parts]) const {
    const bool is_exact = unscale.exact_until[i] >= unscale.end;
    // One after the other, as their product may be beyond a double's exponents.
    const auto number = [&](const FromResidues& sum) {
      return is_exact ? sum.value(*moduli) * unscale.rows[i] * unscale.columns[j] : NAN;
    };
    using Real = detail::RealOf<T>;
    T& element = c(i, j);
    const T before = adds_to_zero ? T(0) : element;
    if constexpr (parts == 1) {
      element = static_cast<Real>(static_cast<double>(before) - number(sums[0]));
    } else {
      element = T(static_cast<Real>(static_cast<double>(before.real()) - number(sums[0])),
                  static_cast<Real>(static_cast<double>(before.imag()) - number(sums[1])));
    }
  }
};

}  // namespace

template <class Exec>
void make_row_scales(const Exec& exec, const double* square_sums, std::int64_t count, double norm,
                     const RowScales& scales) {
  Kokkos::parallel_for("tessera::residues::scales",
                       Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, count),
                       MakeRowScales{square_sums, norm, scales});
}

template <class T, class Exec>
void left_residues(const Exec& exec, const Moduli* moduli, int count,
                   const MatrixView<const T, typename Exec::memory_space>& a, PaddedColumns columns,
                   const double* scale, const Residues& residues, const RowSums& sums, std::int64_t first) {
  if (a.size() == 0) return;
  using Kernel = LeftResidues<T, Exec>;
  constexpr int rows = Kernel::rows_of_team;
  const auto teams = static_cast<int>((a.extent(0) + rows - 1) / rows);
  Kokkos::parallel_for("tessera::residues::left",
                       Kokkos::TeamPolicy<Exec>(exec, teams, is_host<Exec> ? 1 : Kernel::threads)
                           .set_scratch_size(0, Kokkos::PerTeam(int{Kernel::scratch_bytes})),
                       Kernel{moduli, count, a, columns, scale, residues, sums, first});
}

template <class T, class Exec>
void right_residues(const Exec& exec, const Moduli* moduli, int count,
                    const MatrixView<const T, typename Exec::memory_space>& b, PaddedColumns columns,
                    const double* scale, const Residues& residues) {
  const std::int64_t quads = columns.position(static_cast<std::int64_t>(b.extent(0))) / Quad::size;
  for_each_index("tessera::residues::right", exec, quads, static_cast<std::int64_t>(b.extent(1)),
                 RightResidues<T, typename Exec::memory_space>{moduli, count, b, columns, scale, residues});
}

template <class Exec>
void conjugate_residues(const Exec& exec, const Moduli* moduli, int count, std::int64_t rows, std::int64_t length,
                        const Residues& from, const Residues& to) {
  for_each_index("tessera::residues::conjugate", exec, length / Quad::size, rows, Conjugate{moduli, count, from, to});
}

template <class Exec>
void multiply_residues(Queue<Exec>& queue, int planes, std::int64_t rows, std::int64_t columns, std::int64_t depth,
                       const Residues& left, const Residues& right, const ResidueProducts& products) {
  if constexpr (is_host<Exec>) {
    for_each_index("tessera::residues::multiply", queue.exec(), rows, columns,
                   MultiplyResidues{planes, depth, left, right, products});
  } else {
    const std::int64_t padded_rows = (rows + Quad::size - 1) / Quad::size * Quad::size;
    queue.blas().multiply_bytes(planes, padded_rows, columns, depth, left.data, left.row, left.plane, right.data,
                                right.row, right.plane, products.data, products.leading_dimension, products.plane);
  }
}

template <class T, class Exec>
void subtract_products(const Exec& exec, const Moduli* moduli, int count, const ResidueProducts& products,
                       const Unscale& unscale, T beta, const MatrixView<T, typename Exec::memory_space>& c) {
  using Kernel = SubtractProducts<T, typename Exec::memory_space>;
  const Kernel kernel{moduli, count, products, unscale, beta == T(0), c};
  const std::int64_t pairs = (static_cast<std::int64_t>(c.extent(1)) + Kernel::columns - 1) / Kernel::columns;
  Kokkos::parallel_for("tessera::residues::subtract",
                       Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, kernel.quads() * pairs),
                       kernel);
}

#define TESSERA_INSTANTIATE_RESIDUES(T, Exec)                                                                          \
  template void left_residues<T, Exec>(const Exec&, const Moduli*, int,                                                \
                                       const MatrixView<const T, typename Exec::memory_space>&, PaddedColumns,         \
                                       const double*, const Residues&, const RowSums&, std::int64_t);                  \
  template void right_residues<T, Exec>(const Exec&, const Moduli*, int,                                               \
                                        const MatrixView<const T, typename Exec::memory_space>&, PaddedColumns,        \
                                        const double*, const Residues&);                                               \
  template void subtract_products<T, Exec>(const Exec&, const Moduli*, int, const ResidueProducts&, const Unscale&, T, \
                                           const MatrixView<T, typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_OF_EXEC(Exec)                                                                              \
  TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_RESIDUES, Exec)                                                          \
  template void make_row_scales<Exec>(const Exec&, const double*, std::int64_t, double, const RowScales&);             \
  template void conjugate_residues<Exec>(const Exec&, const Moduli*, int, std::int64_t, std::int64_t, const Residues&, \
                                         const Residues&);                                                             \
  template void multiply_residues<Exec>(Queue<Exec>&, int, std::int64_t, std::int64_t, std::int64_t, const Residues&,  \
                                        const Residues&, const ResidueProducts&);
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_OF_EXEC)

}  // namespace tessera::kernels

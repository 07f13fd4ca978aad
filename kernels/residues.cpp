// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/residues.hpp"

#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"
#include "kernels/residue_arithmetic.hpp"

#include <cmath>

namespace tessera::kernels {
namespace {

/// The largest e with which 2^e row <= norm; both are positive and finite.
KOKKOS_INLINE_FUNCTION int scale_exponent(double row, double norm) {
  const int exponent = std::ilogb(norm) - std::ilogb(row);
  return std::ldexp(row, exponent) > norm ? exponent - 1 : exponent;
}

struct MakeRowScales {
  const double* square_sums;
  double norm;
  RowScales scales;

  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    const double sum = square_sums[i];
    scales.up[i] = scales.down[i] = 0;
    if (!(sum > 0) || std::isinf(sum)) return;
    const int exponent = scale_exponent(std::sqrt(sum), norm);
    scales.up[i] = std::ldexp(1., exponent);
    scales.down[i] = std::ldexp(1., -exponent);
  }
};

/// Counts the rows that have none.
struct MakeRowScalesOfAnySize {
  static constexpr int most = 1000;  // exponent
  static constexpr int steps = 16;   // from a power of two to the next

  const SquareSum* square_sums;
  double norm;
  RowScales scales;

  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t& without) const {
    const double row = square_sums[i].root();
    scales.up[i] = scales.down[i] = 0;
    if (row == 0) return;
    const int exponent = row > 0 && !std::isinf(row) ? scale_exponent(row, norm) : most + 1;
    if (exponent > most) {
      ++without;
      return;
    }
    scales.up[i] = std::ldexp(std::floor(steps * (norm / std::ldexp(row, exponent))) / steps, exponent);
    scales.down[i] = 1 / scales.up[i];
  }
};

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

  /// Number k is scale x, rounded by `round(number)`, or 0 where that is too large for any row. Returns its square.
  template <class Round>
  KOKKOS_INLINE_FUNCTION double set(int k, const T& x, double scale, const Round& round, double largest_square) {
    const double a = round(static_cast<double>(detail::real(x)) * scale);
    double b = 0;
    if constexpr (planes_per_modulus<T> == 3) b = round(static_cast<double>(x.imag()) * scale);
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
  Rounding rounding;

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
          const auto round = [&](double x) { return rounding(x, at + quad + q); };
          square += integers.set(q, block[(quad + q) * stride + i], scale[row0 + i], round, largest_square);
        }
        squares[k] += square;
        integers.write(*moduli, count, residues.data + (row0 + i) * residues.row + at + quad, residues.plane);
      });
    }
    if (sums.squares == nullptr) return;
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
  Rounding rounding;

  KOKKOS_FUNCTION void operator()(std::int64_t quad, std::int64_t row) const {
    Integers<T> integers;
    for (int q = 0; q < Quad::size; ++q) {
      const std::int64_t i = columns.column_at(quad * Quad::size + q);
      if (i < 0 || i >= static_cast<std::int64_t>(b.extent(0))) continue;
      const auto round = [&](double x) { return rounding(x, quad * Quad::size + q); };
      integers.set(q, b(i, row), scale[row], round, moduli->largest_square_sum);
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

}  // namespace

template <class Exec>
void make_row_scales(const Exec& exec, const double* square_sums, std::int64_t count, double norm,
                     const RowScales& scales) {
  Kokkos::parallel_for("tessera::residues::scales",
                       Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, count),
                       MakeRowScales{square_sums, norm, scales});
}

template <class Exec>
bool make_row_scales(const Exec& exec, const SquareSum* square_sums, std::int64_t count, double norm,
                     const RowScales& scales) {
  std::int64_t without = 0;
  Kokkos::parallel_reduce("tessera::residues::scales",
                          Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, count),
                          MakeRowScalesOfAnySize{square_sums, norm, scales}, without);
  exec.fence();
  return without == 0;
}

template <class T, class Exec>
void left_residues(const Exec& exec, const Moduli* moduli, int count,
                   const MatrixView<const T, typename Exec::memory_space>& a, PaddedColumns columns,
                   const double* scale, const Residues& residues, const RowSums& sums, std::int64_t first,
                   Rounding rounding) {
  if (a.size() == 0) return;
  using Kernel = LeftResidues<T, Exec>;
  constexpr int rows = Kernel::rows_of_team;
  const auto teams = static_cast<int>((a.extent(0) + rows - 1) / rows);
  Kokkos::parallel_for("tessera::residues::left",
                       Kokkos::TeamPolicy<Exec>(exec, teams, is_host<Exec> ? 1 : Kernel::threads)
                           .set_scratch_size(0, Kokkos::PerTeam(int{Kernel::scratch_bytes})),
                       Kernel{moduli, count, a, columns, scale, residues, sums, first, rounding});
}

template <class T, class Exec>
void right_residues(const Exec& exec, const Moduli* moduli, int count,
                    const MatrixView<const T, typename Exec::memory_space>& b, PaddedColumns columns,
                    const double* scale, const Residues& residues, Rounding rounding) {
  const std::int64_t quads = columns.position(static_cast<std::int64_t>(b.extent(0))) / Quad::size;
  for_each_index("tessera::residues::right", exec, quads, static_cast<std::int64_t>(b.extent(1)),
                 RightResidues<T, typename Exec::memory_space>{moduli, count, b, columns, scale, residues, rounding});
}

template <class Exec>
void conjugate_residues(const Exec& exec, const Moduli* moduli, int count, std::int64_t rows, std::int64_t length,
                        const Residues& from, const Residues& to) {
  for_each_index("tessera::residues::conjugate", exec, length / Quad::size, rows, Conjugate{moduli, count, from, to});
}

#define TESSERA_INSTANTIATE_RESIDUES(T, Exec)                                                                   \
  template void left_residues<T, Exec>(const Exec&, const Moduli*, int,                                         \
                                       const MatrixView<const T, typename Exec::memory_space>&, PaddedColumns,  \
                                       const double*, const Residues&, const RowSums&, std::int64_t, Rounding); \
  template void right_residues<T, Exec>(const Exec&, const Moduli*, int,                                        \
                                        const MatrixView<const T, typename Exec::memory_space>&, PaddedColumns, \
                                        const double*, const Residues&, Rounding);
#define TESSERA_INSTANTIATE_OF_EXEC(Exec)                                                                              \
  TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_RESIDUES, Exec)                                                          \
  template void make_row_scales<Exec>(const Exec&, const double*, std::int64_t, double, const RowScales&);             \
  template bool make_row_scales<Exec>(const Exec&, const SquareSum*, std::int64_t, double, const RowScales&);          \
  template void conjugate_residues<Exec>(const Exec&, const Moduli*, int, std::int64_t, std::int64_t, const Residues&, \
                                         const Residues&);
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_OF_EXEC)

}  // namespace tessera::kernels

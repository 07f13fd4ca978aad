#pragma once

#include "perf/random.hpp"

#include <mpi.h>
#include <Kokkos_Core.hpp>

#include <cmath>
#include <cstdint>
#include <limits>

namespace tessera::perf {

/// A sum that keeps what rounding drops (Neumaier): a residual is the small difference of large sums.
struct CompensatedSum {
  double sum = 0;
  double rest = 0;

  KOKKOS_FUNCTION void add(double x) {
    const double total = sum + x;
    const double taken = total - sum;
    rest += (sum - (total - taken)) + (x - taken);
    sum = total;
  }
  KOKKOS_FUNCTION double value() const { return sum + rest; }
};

/// Sums of squares of B - A X, A, X and B over some rows, in double precision, with A(i, j) = a(i, j). One index is one
/// row of some columns of X, so that A is not computed anew for each of them.
template <class T, class Function, class X>
struct SumSquares {
  static constexpr std::int64_t width = 8;

  Function a;
  X x;
  X b;
  std::int64_t first_row;

  KOKKOS_FUNCTION std::int64_t groups() const { return (static_cast<std::int64_t>(x.extent(1)) + width - 1) / width; }

  KOKKOS_FUNCTION void operator()(std::int64_t index, double& rr, double& aa, double& xx, double& bb) const {
    const auto n = static_cast<std::int64_t>(x.extent(0));
    const std::int64_t i = first_row + index / groups();
    const std::int64_t group = index % groups();
    const std::int64_t left = static_cast<std::int64_t>(x.extent(1)) - group * width;
    const std::int64_t count = left < width ? left : width;
    CompensatedSum re[width];
    CompensatedSum im[width];
    for (std::int64_t c = 0; c < count; ++c) {
      const T b_ic = b(i, group * width + c);
      const T x_ic = x(i, group * width + c);
      re[c].add(detail::real(b_ic));
      im[c].add(imaginary(b_ic));
      bb += square(b_ic);
      xx += square(x_ic);
    }
    for (std::int64_t j = 0; j < n; ++j) {
      const T a_ij = a(i, j);
      if (group == 0) aa += square(a_ij);
      const double a_re = detail::real(a_ij);
      const double a_im = imaginary(a_ij);
      for (std::int64_t c = 0; c < count; ++c) {
        const T x_jc = x(j, group * width + c);
        const double x_re = detail::real(x_jc);
        re[c].add(-a_re * x_re);
        if constexpr (is_complex<T>) {
          const double x_im = imaginary(x_jc);
          re[c].add(a_im * x_im);
          im[c].add(-a_re * x_im);
          im[c].add(-a_im * x_re);
        }
      }
    }
    for (std::int64_t c = 0; c < count; ++c) {
      rr += re[c].value() * re[c].value() + im[c].value() * im[c].value();
    }
  }

 private:
  KOKKOS_FUNCTION static double imaginary(const T& z) {
    if constexpr (is_complex<T>) {
      return z.imag();
    } else {
      return 0;
    }
  }
  KOKKOS_FUNCTION static double square(const T& z) {
    const double re = detail::real(z);
    const double im = imaginary(z);
    return re * re + im * im;
  }
};

/// ||B - A X|| / (||A|| ||X|| + ||B||) in Frobenius norms, from nothing but the function that A was filled with. X and
/// B are n x nrhs, replicated, in memory of `exec`. Collective over `comm`: each rank takes its share of the rows.
template <class Exec, class Function, class X>
double backward_error(const Exec& exec, MPI_Comm comm, const Function& a, const X& x, const X& b) {
  int ranks = 1;
  int rank = 0;
  MPI_Comm_size(comm, &ranks);
  MPI_Comm_rank(comm, &rank);
  const auto n = static_cast<std::int64_t>(x.extent(0));
  const std::int64_t begin = n / ranks * rank + n % ranks * rank / ranks;
  const std::int64_t end = n / ranks * (rank + 1) + n % ranks * (rank + 1) / ranks;
  const SumSquares<typename X::non_const_value_type, Function, X> rows{a, x, b, begin};

  double sums[4] = {0, 0, 0, 0};
  Kokkos::parallel_reduce(
      "tessera::check::residual",
      Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, (end - begin) * rows.groups()), rows, sums[0],
      sums[1], sums[2], sums[3]);
  exec.fence();
  MPI_Allreduce(MPI_IN_PLACE, sums, 4, MPI_DOUBLE, MPI_SUM, comm);
  const double scale = std::sqrt(sums[1]) * std::sqrt(sums[2]) + std::sqrt(sums[3]);
  return scale > 0 ? std::sqrt(sums[0]) / scale : 0;
}

}  // namespace tessera::perf

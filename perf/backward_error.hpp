// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/random.hpp"
#include "perf/sum_of_squares.hpp"

#include <mpi.h>
#include <Kokkos_Core.hpp>

#include <cstdint>

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

template <class T>
KOKKOS_FUNCTION double imaginary_part(const T& z) {
  if constexpr (is_complex<T>) {
    return z.imag();
  } else {
    return 0;
  }
}

/// Sums of squares of B - A X, A, X and B over some rows, one after the other, in double precision, with A(i, j) =
/// a(i, j). One index is one row of some columns of X, so that A is not computed anew for each of them.
template <class T, class Function, class X>
struct SumSquares {
  static constexpr std::int64_t width = 8;
  using value_type = double[];
  static constexpr unsigned value_count = 4 * SumOfSquares::parts;

  Function a;
  X x;
  X b;
  std::int64_t first_row;

  KOKKOS_FUNCTION std::int64_t groups() const { return (static_cast<std::int64_t>(x.extent(1)) + width - 1) / width; }

  KOKKOS_FUNCTION void operator()(std::int64_t index, double sums[]) const {
    const auto n = static_cast<std::int64_t>(x.extent(0));
    const std::int64_t i = first_row + index / groups();
    const std::int64_t group = index % groups();
    const std::int64_t left = static_cast<std::int64_t>(x.extent(1)) - group * width;
    const std::int64_t count = left < width ? left : width;
    CompensatedSum re[width];
    CompensatedSum im[width];
    SumOfSquares rr;
    SumOfSquares aa;
    SumOfSquares xx;
    SumOfSquares bb;
    for (std::int64_t c = 0; c < count; ++c) {
      const T b_ic = b(i, group * width + c);
      const T x_ic = x(i, group * width + c);
      re[c].add(detail::real(b_ic));
      im[c].add(imaginary_part(b_ic));
      bb.add(b_ic);
      xx.add(x_ic);
    }
    for (std::int64_t j = 0; j < n; ++j) {
      const T a_ij = a(i, j);
      if (group == 0) aa.add(a_ij);
      const double a_re = detail::real(a_ij);
      const double a_im = imaginary_part(a_ij);
      for (std::int64_t c = 0; c < count; ++c) {
        const T x_jc = x(j, group * width + c);
        const double x_re = detail::real(x_jc);
        re[c].add(-a_re * x_re);
        if constexpr (is_complex<T>) {
          const double x_im = imaginary_part(x_jc);
          re[c].add(a_im * x_im);
          im[c].add(-a_re * x_im);
          im[c].add(-a_im * x_re);
        }
      }
    }
    for (std::int64_t c = 0; c < count; ++c) {
      rr.add(re[c].value());
      rr.add(im[c].value());
    }
    rr.add_to(sums);
    aa.add_to(sums + SumOfSquares::parts);
    xx.add_to(sums + 2 * SumOfSquares::parts);
    bb.add_to(sums + 3 * SumOfSquares::parts);
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
  using Rows = SumSquares<typename X::non_const_value_type, Function, X>;
  const Rows rows{a, x, b, begin};

  const Kokkos::View<double*, Kokkos::HostSpace> sums("tessera::check::sums", Rows::value_count);
  Kokkos::parallel_reduce(
      "tessera::check::residual",
      Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, (end - begin) * rows.groups()), rows, sums);
  exec.fence();
  MPI_Allreduce(MPI_IN_PLACE, sums.data(), static_cast<int>(Rows::value_count), MPI_DOUBLE, MPI_SUM, comm);
  const auto norm = [&](int k) { return SumOfSquares(sums.data() + k * SumOfSquares::parts).norm(); };
  return backward_error_of(norm(0), norm(1), norm(2), norm(3));
}

}  // namespace tessera::perf

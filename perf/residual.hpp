// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/backward_error.hpp"
#include "perf/program.hpp"
#include "perf/random.hpp"
#include "perf/sum_of_squares.hpp"

#include <tessera/options.hpp>
#include <tessera/redistribute.hpp>

#include <mpi.h>
#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace tessera::perf {

struct Residual {
  double norm = 0;            ///< ||b - A x||
  double backward_error = 0;  ///< ||b - A x|| / (||A|| ||x|| + ||b||), as backward_error_of has it
};

/// What some rows of one triangle of A contribute to A x, subtracted from y: as they are, and, but for the diagonal, as
/// the other triangle's columns. One index is one line of A and some columns of x, so that A is read once for these.
template <class T, class MemorySpace>
struct SubtractProducts {
  static constexpr std::int64_t width = 8;
  static constexpr std::int64_t parts = is_complex<T> ? 2 : 1;
  using value_type = double[];
  static constexpr unsigned value_count = SumOfSquares::parts;
  struct AsRows {};
  struct AsColumns {};

  Kokkos::View<const T**, MemorySpace> rows;
  std::int64_t first_row;
  bool lower;
  double diag_shift;
  Kokkos::View<const T**, Kokkos::LayoutRight, MemorySpace> x;
  Kokkos::View<CompensatedSum***, Kokkos::LayoutRight, MemorySpace> y;  ///< n x nrhs x parts

  KOKKOS_FUNCTION std::int64_t groups() const { return (static_cast<std::int64_t>(x.extent(1)) + width - 1) / width; }
  KOKKOS_FUNCTION std::int64_t n() const { return static_cast<std::int64_t>(x.extent(0)); }
  KOKKOS_FUNCTION std::int64_t count() const { return static_cast<std::int64_t>(rows.extent(0)); }
  KOKKOS_FUNCTION std::int64_t first_column(std::int64_t row) const { return lower ? 0 : row; }
  KOKKOS_FUNCTION std::int64_t end_column(std::int64_t row) const { return lower ? row + 1 : n(); }

  KOKKOS_FUNCTION void operator()(AsRows, std::int64_t index) const {
    const std::int64_t row = first_row + index / groups();
    Sums sums(*this, row, index % groups());
    for (std::int64_t column = first_column(row); column < end_column(row); ++column) {
      const T a = rows(row - first_row, column);
      const bool diagonal = row == column;
      sums.subtract(detail::real(a) + (diagonal ? diag_shift : 0), diagonal ? 0 : imaginary_part(a), column);
    }
    sums.store();
  }

  KOKKOS_FUNCTION void operator()(AsColumns, std::int64_t index) const {
    const std::int64_t column = index / groups();
    Sums sums(*this, column, index % groups());
    const std::int64_t above = column - first_row;  // rows of these above the diagonal
    const std::int64_t begin = !lower || above < 0 ? 0 : above + 1;
    const std::int64_t end = lower || above > count() ? count() : above;
    for (std::int64_t i = begin; i < end; ++i) {
      const T a = rows(i, column);
      sums.subtract(detail::real(a), -imaginary_part(a), first_row + i);
    }
    sums.store();
  }

  /// Adds up |a|^2 over both triangles.
  KOKKOS_FUNCTION void operator()(std::int64_t i, double sums[]) const {
    const std::int64_t row = first_row + i;
    SumOfSquares sum;
    for (std::int64_t column = first_column(row); column < end_column(row); ++column) {
      const T a = rows(i, column);
      if (row == column) {
        sum.add(detail::real(a) + diag_shift);
      } else {
        sum.add(a, 2);
      }
    }
    sum.add_to(sums);
  }

 private:
  /// Some columns of one row of y, while they are worked on.
  struct Sums {
    const SubtractProducts& all;
    std::int64_t line;
    std::int64_t begin;
    std::int64_t count;
    CompensatedSum sums[width][parts];

    KOKKOS_FUNCTION Sums(const SubtractProducts& products, std::int64_t y_row, std::int64_t group)
        : all(products), line(y_row), begin(group * width) {
      const std::int64_t left = static_cast<std::int64_t>(all.x.extent(1)) - begin;
      count = left < width ? left : width;
      for (std::int64_t c = 0; c < count; ++c) {
        for (std::int64_t part = 0; part < parts; ++part) sums[c][part] = all.y(line, begin + c, part);
      }
    }
    KOKKOS_FUNCTION void subtract(double re, double im, std::int64_t x_row) {
      for (std::int64_t c = 0; c < count; ++c) {
        const T& z = all.x(x_row, begin + c);
        sums[c][0].add(-re * detail::real(z));
        if constexpr (is_complex<T>) {
          sums[c][0].add(im * imaginary_part(z));
          sums[c][1].add(-re * imaginary_part(z));
          sums[c][1].add(-im * detail::real(z));
        }
      }
    }
    KOKKOS_FUNCTION void store() const {
      for (std::int64_t c = 0; c < count; ++c) {
        for (std::int64_t part = 0; part < parts; ++part) all.y(line, begin + c, part) = sums[c][part];
      }
    }
  };
};

/// Collective. Adds up `sums` over all ranks.
inline void add_up(MPI_Comm comm, CompensatedSum* sums, std::size_t size) {
  MPI_Datatype pair = MPI_DATATYPE_NULL;
  MPI_Type_contiguous(sizeof(CompensatedSum) / sizeof(double), MPI_DOUBLE, &pair);
  MPI_Type_commit(&pair);
  MPI_Op add = MPI_OP_NULL;
  MPI_Op_create(
      [](void* in, void* in_out, int* count, MPI_Datatype*) {
        const auto* from = static_cast<const CompensatedSum*>(in);
        auto* to = static_cast<CompensatedSum*>(in_out);
        for (int k = 0; k < *count; ++k) {
          to[k].add(from[k].sum);
          to[k].rest += from[k].rest;
        }
      },
      1, &add);
  const std::size_t most = 1 << 20;
  for (std::size_t done = 0; done < size; done += most) {
    MPI_Allreduce(MPI_IN_PLACE, sums + done, static_cast<int>(std::min(most, size - done)), pair, add, comm);
  }
  MPI_Op_free(&add);
  MPI_Type_free(&pair);
}

/// Collective. How well x solves (A + diag_shift I) x = b, in Frobenius norms; A is asked for its rows once more, in
/// chunks, and of these `triangle` is looked at. x and b: n x nrhs, replicated.
template <class Exec, class A, class T>
Residual residual_of(const Exec& exec, MPI_Comm comm, A& a, Triangle triangle, double diag_shift,
                     const Kokkos::View<T**, Kokkos::LayoutRight, Kokkos::HostSpace>& x,
                     const Kokkos::View<T**, Kokkos::LayoutRight, Kokkos::HostSpace>& b) {
  using MemorySpace = typename Exec::memory_space;
  using Products = SubtractProducts<T, MemorySpace>;
  using Index = Kokkos::IndexType<std::int64_t>;
  const auto n = static_cast<std::int64_t>(x.extent(0));
  const std::int64_t begin = detail::operator_row_begin(n, size_of(comm), rank_in(comm));
  const std::int64_t end = detail::operator_row_begin(n, size_of(comm), rank_in(comm) + 1);
  constexpr std::int64_t chunk_bytes = 1 << 24;
  const std::int64_t chunk = std::max<std::int64_t>(1, chunk_bytes / static_cast<std::int64_t>(sizeof(T)) / n);

  double aa[SumOfSquares::parts] = {};
  SumOfSquares xx;
  SumOfSquares bb;
  decltype(Kokkos::create_mirror_view(std::declval<decltype(Products::y)>())) y;
  everywhere(comm, [&] {
    Products products{{}, 0, triangle == Triangle::lower, diag_shift, {}, {}};
    products.x = Kokkos::create_mirror_view_and_copy(MemorySpace{}, x);
    products.y = decltype(products.y)("tessera::residual::y", x.extent(0), x.extent(1), std::size_t{Products::parts});
    y = Kokkos::create_mirror_view(products.y);
    for (std::size_t i = 0; i < x.extent(0); ++i) {
      for (std::size_t c = 0; c < x.extent(1); ++c) {
        xx.add(x(i, c));
        bb.add(b(i, c));
        if (rank_in(comm) != 0) continue;
        y(i, c, 0).sum = detail::real(b(i, c));
        if constexpr (is_complex<T>) y(i, c, 1).sum = imaginary_part(b(i, c));
      }
    }
    Kokkos::deep_copy(exec, products.y, y);
    const Kokkos::View<double*, Kokkos::HostSpace> squares("tessera::residual::squares", Products::value_count);
    for (std::int64_t first = begin; first < end; first += chunk) {
      const detail::BlockView<T, Exec> rows("tessera::residual::rows",
                                            static_cast<std::size_t>(std::min(chunk, end - first)), x.extent(0));
      a.to_dense(exec, first, rows);
      products.rows = rows;
      products.first_row = first;
      Kokkos::parallel_for(
          "tessera::residual::as_rows",
          Kokkos::RangePolicy<Exec, Index, typename Products::AsRows>(exec, 0, products.count() * products.groups()),
          products);
      Kokkos::parallel_for(
          "tessera::residual::as_columns",
          Kokkos::RangePolicy<Exec, Index, typename Products::AsColumns>(exec, 0, n * products.groups()), products);
      Kokkos::parallel_reduce("tessera::residual::norm", Kokkos::RangePolicy<Exec, Index>(exec, 0, products.count()),
                              products, squares);
      exec.fence();
      SumOfSquares(squares.data()).add_to(aa);
    }
    Kokkos::deep_copy(exec, y, products.y);
    exec.fence();
  });

  MPI_Allreduce(MPI_IN_PLACE, aa, SumOfSquares::parts, MPI_DOUBLE, MPI_SUM, comm);
  add_up(comm, y.data(), y.size());
  SumOfSquares rr;
  for (std::size_t k = 0; k < y.size(); ++k) rr.add(y.data()[k].value());
  return {static_cast<double>(rr.norm()), backward_error_of(rr.norm(), SumOfSquares(aa).norm(), xx.norm(), bb.norm())};
}

}  // namespace tessera::perf

// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <mpi.h>

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <vector>

// What every file here needs of Kokkos and MPI: Views, this rank's rows, sums over the ranks.
namespace gp {

using Exec = Kokkos::DefaultExecutionSpace;
using Range2 = Kokkos::MDRangePolicy<Exec, Kokkos::Rank<2>, Kokkos::IndexType<std::int64_t>>;
using Columns = Kokkos::View<double**, Kokkos::LayoutLeft, Exec::memory_space>;

/// A place in some dimensions, and many of them, the same on every rank.
template <int dimensions>
struct Point {
  double x[dimensions];

  KOKKOS_FUNCTION double& operator[](int k) { return x[k]; }
  KOKKOS_FUNCTION double operator[](int k) const { return x[k]; }
};
template <int dimensions>
using Points = Kokkos::View<Point<dimensions>*, Exec::memory_space>;

template <class T>
Kokkos::View<T*, Exec::memory_space> on_device(const std::vector<T>& values) {
  Kokkos::View<T*, Exec::memory_space> view("values", values.size());
  Kokkos::deep_copy(view, Kokkos::View<const T*, Kokkos::HostSpace>(values.data(), values.size()));
  return view;
}

inline int rank_of(MPI_Comm comm) {
  int rank;
  MPI_Comm_rank(comm, &rank);
  return rank;
}

/// A rank's rows of n: [first, first + count).
struct Share {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// As even as it can be: 16 rows on 3 ranks are 6, 5 and 5.
inline Share share_of(MPI_Comm comm, std::int64_t n) {
  int ranks;
  MPI_Comm_size(comm, &ranks);
  const std::int64_t rank = rank_of(comm), least = n / ranks, one_more = n % ranks;
  return {rank * least + (rank < one_more ? rank : one_more), least + (rank < one_more ? 1 : 0)};
}

/// Numbers that all ranks have, as this rank's rows of one column.
inline Columns rows_of(MPI_Comm comm, const std::vector<double>& values) {
  const Share mine = share_of(comm, static_cast<std::int64_t>(values.size()));
  Columns rows("rows", static_cast<std::size_t>(mine.count), 1);
  const auto host = Kokkos::create_mirror_view(rows);
  for (std::int64_t i = 0; i < mine.count; ++i) host(i, 0) = values[static_cast<std::size_t>(mine.first + i)];
  Kokkos::deep_copy(rows, host);
  return rows;
}

/// The same bits on every rank, which an MPI_Allreduce does not promise: all ranks are to take the same decisions.
inline void sum_over_ranks(MPI_Comm comm, std::vector<double>& values) {
  const auto count = static_cast<int>(values.size());
  std::vector<double> sums(values.size());
  MPI_Reduce(values.data(), sums.data(), count, MPI_DOUBLE, MPI_SUM, 0, comm);
  MPI_Bcast(sums.data(), count, MPI_DOUBLE, 0, comm);
  values = sums;
}

/// What rows_of takes apart.
inline std::vector<double> gather(MPI_Comm comm, std::int64_t n, const Columns& rows) {
  const Share mine = share_of(comm, n);
  const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), rows);
  std::vector<double> values(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < mine.count; ++i) values[static_cast<std::size_t>(mine.first + i)] = host(i, 0);
  sum_over_ranks(comm, values);
  return values;
}

/// For each column of `a`, its inner product with that of `b`, or with the only one, over the rows of all ranks.
inline std::vector<double> column_products(MPI_Comm comm, const Columns& a, const Columns& b) {
  using Team = Kokkos::TeamPolicy<Exec>;
  const auto columns = static_cast<int>(a.extent(1)), rows = static_cast<int>(a.extent(0));
  const int stride = b.extent(1) == 1 ? 0 : 1;
  const Kokkos::View<double*, Exec::memory_space> products("products", a.extent(1));
  Kokkos::parallel_for(
      "gp::column_products", Team(columns, Kokkos::AUTO), KOKKOS_LAMBDA(const Team::member_type& team) {
        const int j = team.league_rank();
        double sum = 0;
        Kokkos::parallel_reduce(
            Kokkos::TeamThreadRange(team, rows), [&](int i, double& partial) { partial += a(i, j) * b(i, j * stride); },
            sum);
        Kokkos::single(Kokkos::PerTeam(team), [&] { products(j) = sum; });
      });
  std::vector<double> sums(a.extent(1));
  Kokkos::deep_copy(Kokkos::View<double*, Kokkos::HostSpace>(sums.data(), sums.size()), products);
  sum_over_ranks(comm, sums);
  return sums;
}

/// columns(i, j) += values(i)
inline void add_to_columns(const Exec& exec, const Kokkos::View<double*, Exec::memory_space>& values,
                           const Columns& columns) {
  const auto rows = static_cast<std::int64_t>(columns.extent(0)), count = static_cast<std::int64_t>(columns.extent(1));
  Kokkos::parallel_for(
      "gp::add_to_columns", Range2(exec, {0, 0}, {rows, count}),
      KOKKOS_LAMBDA(std::int64_t i, std::int64_t j) { columns(i, j) += values(i); });
  exec.fence();
}

}  // namespace gp

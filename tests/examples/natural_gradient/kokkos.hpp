// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <mpi.h>

#include <Kokkos_Core.hpp>

#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

// What every file here needs of Kokkos and MPI: Views, a scalar that is real or complex, collectives on Views.
namespace ng {

using Exec = Kokkos::DefaultExecutionSpace;
using Range = Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>;
using Range2 = Kokkos::MDRangePolicy<Exec, Kokkos::Rank<2>, Kokkos::IndexType<std::int64_t>>;

// With layout and memory space written out they are the types that Tessera returns.
template <class T>
using Vector = Kokkos::View<T*, Exec::array_layout, Exec::memory_space>;
template <class T>
using Matrix = Kokkos::View<T**, Kokkos::LayoutRight, Exec::memory_space>;  // row-major: row i begins at &m(i, 0)

using Complex = Kokkos::complex<double>;
template <class T>
inline constexpr bool is_complex = std::is_same_v<T, Complex>;

KOKKOS_INLINE_FUNCTION double re(double x) { return x; }
KOKKOS_INLINE_FUNCTION double re(Complex x) { return x.real(); }
KOKKOS_INLINE_FUNCTION double conj(double x) { return x; }
KOKKOS_INLINE_FUNCTION Complex conj(Complex x) { return Complex(x.real(), -x.imag()); }
KOKKOS_INLINE_FUNCTION double exp(double x) { return std::exp(x); }
KOKKOS_INLINE_FUNCTION Complex exp(Complex x) { return Kokkos::exp(x); }
KOKKOS_INLINE_FUNCTION double norm(double x) { return x * x; }
KOKKOS_INLINE_FUNCTION double norm(Complex x) { return x.real() * x.real() + x.imag() * x.imag(); }

template <class View>
auto on_host(const View& view) {
  return Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), view);
}

template <class T>
Vector<T> on_device(const std::vector<T>& values) {
  Vector<T> view("values", values.size());
  const auto host = Kokkos::create_mirror_view(view);
  for (std::size_t i = 0; i < values.size(); ++i) host(i) = values[i];
  Kokkos::deep_copy(view, host);
  return view;
}

/// What a rank has of `total` chains, or states, or anything that is numbered: [first, first + count).
struct Share {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

inline int rank_of(MPI_Comm comm) {
  int rank;
  MPI_Comm_rank(comm, &rank);
  return rank;
}

/// As even as it can be: 16 chains on 3 ranks are 6, 5 and 5.
inline Share share_of(MPI_Comm comm, std::int64_t total) {
  int ranks;
  MPI_Comm_size(comm, &ranks);
  const std::int64_t rank = rank_of(comm), least = total / ranks, one_more = total % ranks;
  return {rank * least + (rank < one_more ? rank : one_more), least + (rank < one_more ? 1 : 0)};
}

/// All ranks' parts, one after the other, on every rank. By way of the host: not every MPI takes device pointers.
template <class T>
std::vector<T> gather(MPI_Comm comm, const Vector<T>& part) {
  int ranks;
  MPI_Comm_size(comm, &ranks);
  constexpr int numbers = sizeof(T) / sizeof(double);
  const auto mine = on_host(part);
  const int count = static_cast<int>(mine.extent(0)) * numbers;
  std::vector<int> counts(static_cast<std::size_t>(ranks)), begins;
  MPI_Allgather(&count, 1, MPI_INT, counts.data(), 1, MPI_INT, comm);
  int total = 0;
  for (const int c : counts) {
    begins.push_back(total);
    total += c;
  }
  std::vector<T> all(static_cast<std::size_t>(total / numbers));
  MPI_Allgatherv(mine.data(), count, MPI_DOUBLE, all.data(), counts.data(), begins.data(), MPI_DOUBLE, comm);
  return all;
}

template <class T>
void sum_over_ranks(MPI_Comm comm, const Vector<T>& values) {
  const auto host = Kokkos::create_mirror_view(values);
  Kokkos::deep_copy(host, values);
  MPI_Allreduce(MPI_IN_PLACE, host.data(), static_cast<int>(host.extent(0) * sizeof(T) / sizeof(double)), MPI_DOUBLE,
                MPI_SUM, comm);
  Kokkos::deep_copy(values, host);
}

inline double sum_over_ranks(MPI_Comm comm, double value) {
  MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_SUM, comm);
  return value;
}

inline double max_over_ranks(MPI_Comm comm, double value) {
  MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_MAX, comm);
  return value;
}

}  // namespace ng

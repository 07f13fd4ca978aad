// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/exchange/communicator.hpp"
#include "tessera/detail/strided.hpp"
#include "tessera/sharded_matrix.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

namespace tessera::detail {

/// The diagonal of a slab, where this rank has it.
template <class T, class MemorySpace>
struct ReadDiagonal {
  LocalBlock<T, MemorySpace> slab;
  double* diagonal;
  KOKKOS_FUNCTION void operator()(std::int64_t column) const {
    const GlobalIndex j = slab.global_column(column);
    if (slab.rows.is_mine(slab.rows.tile_of(j))) {
      diagonal[j.value] = real(slab.a(slab.rows.to_local(j) - slab.row_begin, column));
    }
  }
};

/// Writes the real part of the diagonal, n numbers, where this rank has it, and 0 elsewhere.
template <class T, class Exec>
void read_diagonal(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& matrix, double* values) {
  fill("tessera::diagonal::set_zero", exec, values, matrix.n(), 0.0);
  for (std::int64_t s = 0; s < matrix.layout().count(); ++s) {
    Kokkos::parallel_for("tessera::diagonal::read",
                         Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, matrix.layout().width(s)),
                         ReadDiagonal<T, typename Exec::memory_space>{matrix.slab_block(s), values});
  }
}

/// The numbers of read_diagonal on the host; `values`: room for them in the memory of `exec`.
template <class T, class Exec>
std::vector<double> diagonal_of(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& matrix,
                                double* values) {
  std::vector<double> diagonal(static_cast<std::size_t>(matrix.n()));
  read_diagonal(exec, matrix, values);
  copy_to_host<Exec, double>(exec, values, diagonal.data(), matrix.n());
  return diagonal;
}

/// Collective. The diagonal on every rank's host; `values`: room for it in the memory of `exec`.
template <class T, class Exec>
std::vector<double> diagonal_on_all(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& matrix,
                                    double* values) {
  const Communicator& communicator = matrix.grid().communicator();
  std::vector<double> diagonal;
  collectively(communicator, [&] { diagonal = diagonal_of(exec, matrix, values); });
  communicator.all_reduce_sum(diagonal);  // each number is on one rank
  return diagonal;
}

/// Collective. The diagonal on every rank: n numbers in `values`, in the memory of `exec`.
template <class T, class Exec>
void gather_diagonal(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& matrix, double* values) {
  const Communicator& communicator = matrix.grid().communicator();
  if (communicator.size() == 1) return collectively(communicator, [&] { read_diagonal(exec, matrix, values); });
  std::vector<double> diagonal = diagonal_on_all(exec, matrix, values);
  collectively(communicator, [&] {
    Kokkos::deep_copy(exec, numbers_at<typename Exec::memory_space>(values, matrix.n()),
                      numbers_at<Kokkos::HostSpace>(diagonal.data(), matrix.n()));
    exec.fence();
  });
}

/// Collective. 2 sum log L(k,k) of the diagonal that rank 0 has, summed there in the order of k, so that it is the same
/// on every rank.
inline double log_determinant_of(const Communicator& communicator, const std::vector<double>& diagonal) {
  double sum = 0;
  if (communicator.rank() == 0) {
    for (const double x : diagonal) sum += 2 * std::log(x);
  }
  communicator.broadcast(&sum, sizeof sum, 0);
  return sum;
}

/// Collective. That of a factor; `values`: room for n numbers.
template <class T, class Exec>
double log_determinant(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& l, double* values) {
  const Communicator& communicator = l.grid().communicator();
  std::vector<double> diagonal;
  collectively(communicator, [&] { diagonal = diagonal_of(exec, l, values); });
  communicator.reduce_sum(diagonal, 0);
  return log_determinant_of(communicator, diagonal);
}

}  // namespace tessera::detail

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

/// Collective. 2 sum log L(k,k), summed on rank 0 in the order of k, so that it is the same on every rank; `values`:
/// room for n numbers.
template <class T, class Exec>
double log_determinant(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& l, double* values) {
  using MemorySpace = typename Exec::memory_space;
  const Communicator& communicator = l.grid().communicator();
  std::vector<double> diagonal;
  collectively(communicator, [&] {
    diagonal.resize(static_cast<std::size_t>(l.n()));
    fill("tessera::log_determinant::set_zero", exec, values, l.n(), 0.0);
    for (std::int64_t s = 0; s < l.layout().count(); ++s) {
      Kokkos::parallel_for("tessera::log_determinant::read_diagonal",
                           Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, l.layout().width(s)),
                           ReadDiagonal<T, MemorySpace>{l.slab_block(s), values});
    }
    Kokkos::deep_copy(
        exec,
        Kokkos::View<double*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(diagonal.data(),
                                                                                          diagonal.size()),
        Kokkos::View<const double*, MemorySpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(values, diagonal.size()));
    exec.fence();
  });
  communicator.reduce_sum(diagonal, 0);  // each number is on one rank, and 0 elsewhere
  double sum = 0;
  if (communicator.rank() == 0) {
    for (const double x : diagonal) sum += 2 * std::log(x);
  }
  communicator.broadcast(&sum, sizeof sum, 0);
  return sum;
}

}  // namespace tessera::detail

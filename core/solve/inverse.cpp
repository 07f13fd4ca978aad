// SPDX-License-Identifier: BSD-3-Clause
#include "core/exchange/rank_sum.hpp"
#include "core/matrix/workspace.hpp"
#include "core/solve/inverse_buffers.hpp"
#include "core/solve/inverse_in_place.hpp"
#include "core/solve/sweep.hpp"
#include "core/solve/sweeps.hpp"
#include "core/timed.hpp"
#include "kernels/backend.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/cholesky_factor.hpp"
#include "tessera/detail/local_block.hpp"
#include "tessera/detail/strided.hpp"
#include "tessera/invert.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <type_traits>
#include <vector>

// A^-1 by solves for the unit vectors, from left to right: those of some leaves at a time. L^-1 has zeros above them,
// so that they need of L what is right of and below their first leaf, and no more: L^-1's columns have the squares of
// which the diagonal of A^-1 is the sum, and A^-1's may replace L's.
namespace tessera::detail {
namespace {

template <class T>
KOKKOS_FUNCTION double square(const T& x) {
  if constexpr (std::is_same_v<T, RealOf<T>>) {
    return static_cast<double>(x) * static_cast<double>(x);
  } else {
    return square(x.real()) + square(x.imag());
  }
}

/// sums[c] += sum over r of |x(r, c)|^2. On a device a team has a column; on the host some sums are side by side, as a
/// compiler must not reorder one.
template <class T, class Exec>
struct AddSquares {
  MatrixView<T, typename Exec::memory_space> x;
  double* sums;

  KOKKOS_FUNCTION void operator()(std::int64_t column) const {
    constexpr int lanes = 8;
    double partial[lanes] = {};
    const auto rows = static_cast<std::int64_t>(x.extent(0));
    const T* const first = &x(0, column);
    std::int64_t row = 0;
    for (; row + lanes <= rows; row += lanes) {
      for (int k = 0; k < lanes; ++k) partial[k] += square(first[row + k]);
    }
    for (; row < rows; ++row) partial[row % lanes] += square(first[row]);
    for (const double sum : partial) sums[column] += sum;
  }

  KOKKOS_FUNCTION void operator()(const typename Kokkos::TeamPolicy<Exec>::member_type& team) const {
    const std::int64_t column = team.league_rank();
    double sum = 0;
    Kokkos::parallel_reduce(
        Kokkos::TeamThreadRange(team, static_cast<std::int64_t>(x.extent(0))),
        [&](std::int64_t row, double& partial) { partial += square(x(row, column)); }, sum);
    Kokkos::single(Kokkos::PerTeam(team), [&] { sums[column] += sum; });
  }
};

template <class T, class Exec>
void add_squares(const Exec& exec, const MatrixView<T, typename Exec::memory_space>& x, double* sums) {
  const char* const label = "tessera::inverse_diagonal::add_squares";
  const auto columns = static_cast<std::int64_t>(x.extent(1));
  const AddSquares<T, Exec> add{x, sums};
  if constexpr (kernels::is_host<Exec>) {
    Kokkos::parallel_for(label, Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, columns), add);
  } else {
    Kokkos::parallel_for(label, Kokkos::TeamPolicy<Exec>(exec, static_cast<int>(columns), 256), add);
  }
}

template <class Real>
struct Round {
  const double* from;
  Real* to;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const { to[i] = static_cast<Real>(from[i]); }
};

/// Columns of A^-1 into their place; in an array that is adopted what is above the diagonal stays.
template <class T, class MemorySpace>
struct TakeIn {
  MatrixView<T, MemorySpace> x;
  LocalBlock<T, MemorySpace> to;
  bool adopted;
  KOKKOS_FUNCTION void operator()(std::int64_t row, std::int64_t column) const {
    const std::int64_t below = to.global_row(row).value - to.global_column(column).value;
    if (below < 0 && adopted) return;
    to.a(row, column) = below == 0 ? T(real(x(row, column))) : x(row, column);
  }
};

}  // namespace

template <class T, class Exec>
void inverse_diagonal(const Exec& exec, const CholeskyFactor<T, typename Exec::memory_space>& factor,
                      Memory<typename Exec::memory_space>& memory, const std::function<void(const RealOf<T>*)>& deliver,
                      const Schedule& schedule) {
  const Region region("tessera::inverse_diagonal");
  const std::int64_t n = factor.n();
  if (n == 0) return;
  const SlabLayout& layout = factor.matrix().layout();
  std::optional<Sweeps<T, Exec>> sweeps;
  const RealOf<T>* diagonal = nullptr;
  collectively(factor.grid().communicator(), [&] {
    const auto buffers = buffers_in<InverseBuffers<T, Exec>>(memory, layout, schedule);
    fill("tessera::inverse_diagonal::set_zero", exec, buffers.sums, n, 0.0);
    const std::vector<Sweep> forward = sweeps_of(FactorOperation::solve_lower, factor.grid(), layout);
    sweeps.emplace(exec, forward, factor, buffers.whole, RowShards{}, buffers.sweeps, memory);
    RightHandSides<T, Exec>& x = sweeps->right_hand_sides();
    sweeps->run_on_units([&](const auto& chunk) {
      double* const sums = buffers.sums + layout.rows.begin(x.leaves_of(chunk).front().begin).value;
      for (const TileRange k : x.leaves_of(chunk)) {
        if (x.owns(k)) add_squares<T>(exec, x.sides(chunk, forward.back(), k).second, sums);
      }
    });
    sum_over_ranks(exec, factor.grid(), x.transfers(), buffers.sums, n, buffers.room);
    Kokkos::parallel_for("tessera::inverse_diagonal::round",
                         Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, n),
                         Round<RealOf<T>>{buffers.sums, buffers.diagonal});
    diagonal = buffers.diagonal;
  });
  collectively(factor.grid().communicator(), [&] { deliver(diagonal); });
}

template <class T, class Exec>
void invert(const Exec& exec, CholeskyFactor<T, typename Exec::memory_space>& factor, const Schedule& schedule) {
  using MemorySpace = typename Exec::memory_space;
  const Region region("tessera::invert");
  if (factor.n() == 0) return;
  ShardedMatrix<T, MemorySpace>& matrix = FactorAccess<T, MemorySpace>::matrix(factor);
  Memory<MemorySpace>& memory = FactorAccess<T, MemorySpace>::memory(factor);
  const BlockCyclic rows = matrix.rows();
  const BlockCyclic columns = matrix.columns();
  if (rows.processes * columns.processes == 1) {
    return collectively(factor.grid().communicator(), [&] {
      const auto buffers = buffers_in<InPlaceBuffers<T, Exec>>(memory, matrix.layout());
      kernels::Queue<Exec> queue(exec, buffers.blas, memory.blas_handles.updates);
      InverseInPlace<T, Exec>(queue, matrix, buffers).run();
      exec.fence();
    });
  }
  std::optional<Sweeps<T, Exec>> sweeps;
  collectively(factor.grid().communicator(), [&] {
    const auto buffers = buffers_in<InverseBuffers<T, Exec>>(memory, matrix.layout(), schedule);
    const std::vector<Sweep> both = sweeps_of(FactorOperation::solve, factor.grid(), matrix.layout());
    sweeps.emplace(exec, both, factor, buffers.whole, RowShards{}, buffers.sweeps, memory);
    RightHandSides<T, Exec>& x = sweeps->right_hand_sides();
    sweeps->run_on_units([&](const auto& chunk) {
      const GlobalTile first = x.leaves_of(chunk).front().begin;
      for (GlobalTile j = first; columns.begin(j) - columns.begin(first) < chunk.size(); ++j) {
        if (!columns.is_mine(j)) continue;
        const LocalIndex begin = columns.local_begin(j);
        const LocalIndex end = begin + columns.extent(j);
        const auto to = matrix.local_block(rows.local_begin(j), {rows.local_extent()}, begin, end);
        const auto solutions =
            x.sides(chunk, both.back(), rows.local_begin(j), {rows.local_extent()}, begin, end, columns.begin(j + 1))
                .second;
        const std::int64_t offset = columns.begin(j) - columns.begin(first);
        const TakeIn<T, MemorySpace> take_in{
            block(solutions, 0, static_cast<std::int64_t>(solutions.extent(0)), offset, offset + columns.extent(j)), to,
            matrix.is_adopted()};
        kernels::for_each<T>("tessera::invert::take_in", exec, to.a, take_in);
      }
    });
    exec.fence();
  });
}

#define TESSERA_INSTANTIATE_INVERSE(T, Exec)                                                                  \
  template void inverse_diagonal<T, Exec>(const Exec&, const CholeskyFactor<T, typename Exec::memory_space>&, \
                                          Memory<typename Exec::memory_space>&,                               \
                                          const std::function<void(const RealOf<T>*)>&, const Schedule&);     \
  template void invert<T, Exec>(const Exec&, CholeskyFactor<T, typename Exec::memory_space>&, const Schedule&);
#define TESSERA_INSTANTIATE_INVERSES(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_INVERSE, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_INVERSES)

}  // namespace tessera::detail

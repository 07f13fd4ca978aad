// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/compare_host/ours.hpp"

#include <memory>
#include <optional>
#include <utility>

namespace tessera::perf {

/// Solves, where each rank has some rows of the right-hand sides, as ScaLAPACK's ranks have. The factorisation is that
/// of tessera_contender, untimed.
template <class T>
Contender by_rows_contender(const Problem<T>& problem, GridShape shape, std::int64_t wished_tile, std::int64_t slab) {
  using Exec = typename Problem<T>::Exec;
  using Space = typename Exec::memory_space;
  using Matrix = typename Problem<T>::Matrix;
  struct State {
    ProcessGrid grid;
    std::optional<CholeskyFactor<T, Space>> factor;
    Matrix x;
  };
  const auto state = std::make_shared<State>(State{ProcessGrid(problem.comm, shape), {}, {}});
  const std::int64_t tile = detail::tile_size_for<T, Space>(wished_tile, problem.n, shape);
  const std::int64_t begin = problem.n * state->grid.rank() / state->grid.size();
  const auto mine = Kokkos::make_pair(begin, problem.n * (state->grid.rank() + 1) / state->grid.size());

  Contender contender;
  contender.name = "Tessera by rows";
  contender.detail = describe_grid(shape, tile) + (slab == 0 ? "" : ", slab " + std::to_string(slab));
  contender.prepare = [=] {
    ShardedMatrix<T, Space> matrix(state->grid, problem.n, tile, slab);
    matrix.fill(problem.exec, problem.a);
    state->factor.emplace(factorize(problem.exec, std::move(matrix)));
  };
  contender.clear = [=] {
    state->factor.reset();
    state->x = {};
  };
  for (const std::int64_t columns : problem.nrhs) {
    contender.steps.push_back({solve_name(columns), problem.solve_flops(columns),
                               [=] {
                                 const auto rows = Kokkos::subview(problem.make_b(columns), mine, Kokkos::ALL());
                                 state->x = problem.make(mine.second - mine.first, columns);
                                 Kokkos::deep_copy(state->x, rows);
                               },
                               [=] {
                                 state->factor->solve(problem.exec, ByRows{state->x});
                                 problem.exec.fence();
                               },
                               [=] {
                                 const Matrix whole = problem.make(problem.n, columns);
                                 Kokkos::deep_copy(Kokkos::subview(whole, mine, Kokkos::ALL()), state->x);
                                 problem.add_up(whole);
                                 return problem.error(whole);
                               }});
  }
  return contender;
}

}  // namespace tessera::perf

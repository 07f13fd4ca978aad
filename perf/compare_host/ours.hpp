// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/compare_host/contender.hpp"
#include "perf/compare_host/problem.hpp"

#include <tessera/tessera.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>

// Tessera as a contender, wherever the problem is.
namespace tessera::perf {

inline std::string describe_grid(GridShape grid, std::int64_t tile) {
  return std::to_string(grid.rows) + " x " + std::to_string(grid.cols) + ", tile " + std::to_string(tile);
}

/// Arithmetic::integer with so many moduli, of the columns that fit into the memory, or Arithmetic::native.
struct Products {
  std::optional<int> moduli = std::nullopt;
  std::optional<std::int64_t> bytes_free = std::nullopt;

  Arithmetic arithmetic() const { return moduli ? Arithmetic::integer : Arithmetic::native; }
  /// `asked` plans the memory of what they are for.
  template <class T, class Exec>
  std::string describe(std::int64_t n, GridShape shape, MemoryPlanOptions asked) const {
    if (!moduli) return "";
    const std::string all = ", by integers" + (*moduli == 0 ? "" : " of " + std::to_string(*moduli) + " moduli");
    if (!bytes_free) return all;
    asked.arithmetic = Arithmetic::integer;
    asked.moduli = *moduli;
    asked.bytes_free = bytes_free;
    const MemoryPlan plan = memory_plan<T, Exec>(n, shape, asked);
    return all + ", " + std::to_string(plan.integer_columns) + " columns in " + std::to_string(plan.peak()) + " bytes";
  }
};

/// factorize and solve.
template <class T, class Exec>
Contender tessera_contender(const Problem<T, Exec>& problem, GridShape shape, std::int64_t wished_tile,
                            std::int64_t slab, Products products = {}) {
  using Space = typename Exec::memory_space;
  struct State {
    ProcessGrid grid;
    std::optional<ShardedMatrix<T, Space>> matrix;
    std::optional<CholeskyFactor<T, Space>> factor;
    typename Problem<T, Exec>::Matrix x;
  };
  const auto state = std::make_shared<State>(State{ProcessGrid(problem.comm, shape), {}, {}, {}});
  const std::int64_t tile = detail::tile_size_for<T, Space>(wished_tile, problem.n, shape);

  Contender contender;
  contender.name =
      "Tessera" + products.describe<T, Exec>(problem.n, shape, {.nrhs = 0, .tile_size = tile, .slab = slab});
  contender.detail = describe_grid(shape, tile) + (slab == 0 ? "" : ", slab " + std::to_string(slab));
  contender.prepare = [=] {
    state->matrix.emplace(state->grid, problem.n, tile, slab);
    state->matrix->fill(problem.exec, problem.a);
    problem.exec.fence();
  };
  contender.clear = [=] {
    state->matrix.reset();
    state->factor.reset();
    state->x = {};
  };
  contender.steps.push_back({"factorize",
                             problem.factor_flops(),
                             {},
                             [=] {
                               const FactorizeOptions options{.arithmetic = products.arithmetic(),
                                                              .moduli = products.moduli.value_or(0),
                                                              .bytes_free = products.bytes_free};
                               state->factor.emplace(factorize(problem.exec, std::move(*state->matrix), options));
                             },
                             {}});
  for (const std::int64_t columns : problem.nrhs) {
    contender.steps.push_back({solve_name(columns), problem.solve_flops(columns),
                               [=] { state->x = problem.make_b(columns); },
                               [=] {
                                 state->factor->solve(problem.exec, state->x);
                                 problem.exec.fence();
                               },
                               [=] { return problem.error(state->x); }});
  }
  if (products.moduli) return contender;  // the inverse is native, whatever made the factor
  using Real = detail::RealOf<T>;
  const auto n = static_cast<std::size_t>(problem.n);
  contender.steps.push_back({"inverse_diagonal",
                             problem.factor_flops(),
                             {},
                             [=] {
                               const Kokkos::View<Real*, Space> d("tessera::compare::diagonal", n);
                               state->factor->inverse_diagonal(problem.exec, d);
                             },
                             {}});
  contender.steps.push_back({"invert",
                             problem.invert_flops(),
                             {},
                             [=] { state->matrix.emplace(invert(problem.exec, std::move(*state->factor))); },
                             {}});
  return contender;
}

/// The whole of cholesky_distributed, from rows to one solution, by a solver object that has been called before.
template <class T, class Exec>
Contender one_call_contender(const Problem<T, Exec>& problem, GridShape shape, std::int64_t tile,
                             Products products = {}) {
  using Matrix = typename Problem<T, Exec>::Matrix;
  struct State {
    Matrix rows, b, x;
    CholeskyDistributed solver;
  };
  const auto state = std::make_shared<State>();

  Contender contender;
  contender.name = "cholesky_distributed" +
                   products.describe<T, Exec>(problem.n, shape, {.tile_size = tile, .source = Source::rows});
  contender.detail =
      describe_grid(shape, detail::tile_size_for<T, typename Exec::memory_space>(tile, problem.n, shape));
  contender.prepare = [=] {
    int rank = 0;
    MPI_Comm_rank(problem.comm, &rank);
    const std::int64_t ranks = shape.rows * shape.cols;
    const std::int64_t begin = problem.n * rank / ranks;
    const std::int64_t end = problem.n * (rank + 1) / ranks;
    state->rows = problem.make_part(end - begin, problem.n, FromIndex{begin}, FromIndex{});
    state->b = problem.make_b(1);
    CholeskyOptions options;
    options.grid = shape;
    options.local_tile_size = tile;
    options.arithmetic = products.arithmetic();
    options.moduli = products.moduli.value_or(0);
    options.bytes_free = products.bytes_free;
    state->solver.comm = problem.comm;
    state->solver.options = options;
    state->solver(problem.exec, state->rows, state->b);  // takes the memory that the timed call works in
  };
  contender.clear = [=] {
    *state = State{};
    state->solver.clear();
  };
  contender.steps.push_back({"one call",
                             problem.factor_flops() + problem.solve_flops(1),
                             {},
                             [=] { state->x = state->solver(problem.exec, state->rows, state->b).x; },
                             [=] { return problem.error(state->x); }});
  return contender;
}

}  // namespace tessera::perf

// SPDX-License-Identifier: BSD-3-Clause
#include "perf/compare_host/contenders.hpp"
#include "perf/compare_host/distributed.hpp"
#include "perf/compare_host/fortran.hpp"

#include <memory>

namespace tessera::perf {

Contender scalapack_gram_contender(const GramProblem<>& gram, GridShape grid, int block) {
  struct State {
    int context = 0;
    Distributed<double> j, a, x;
  };
  const auto state = std::make_shared<State>();
  int rank = 0;
  MPI_Comm_rank(gram.problem.comm, &rank);
  const auto n = static_cast<int>(gram.problem.n);
  const auto p = static_cast<int>(gram.parameters);

  Contender contender;
  contender.name = "ScaLAPACK";
  contender.detail = std::to_string(grid.rows) + " x " + std::to_string(grid.cols) + ", block " +
                     std::to_string(block) + ", " + describe_pages(gram.problem.large_pages);
  const auto make = [=](std::int64_t rows, std::int64_t columns) {
    Distributed<double> matrix(grid, rank, state->context, rows, columns, block);
    matrix.local = gram.problem.make(matrix.rows.local_extent(), matrix.columns.local_extent());
    return matrix;
  };
  const auto shift = [=] {
    state->a = make(n, n);
    state->a.for_each([&](auto r, auto c, auto i, auto j) {
      if (i == j) state->a.local(r, c) = 1;
    });
    state->x = make(n, 1);
    const auto b = gram.problem.make_b(1);
    state->x.for_each([&](auto r, auto c, auto i, auto j) { state->x.local(r, c) = b(i, j); });
  };
  const auto assemble = [=] {
    const double alpha = 1 / static_cast<double>(p);
    const double beta = 1;
    const int one = 1;
    pdsyrk_("L", "N", &n, &p, &alpha, state->j.local.data(), &one, &one, state->j.desc.data(), &beta,
            state->a.local.data(), &one, &one, state->a.desc.data(), 1, 1);
  };
  contender.prepare = [=] {
    Cblacs_get(0, 0, &state->context);
    Cblacs_gridinit(&state->context, "R", grid.rows, grid.cols);
    state->j = make(n, p);
    const RandomJacobian f{p};
    state->j.for_each([&](auto r, auto c, auto i, auto j) { state->j.local(r, c) = f(i, j); });
  };
  contender.clear = [=] {
    const int context = state->context;
    *state = State{};
    Cblacs_gridexit(context);
  };
  contender.steps.push_back({"assemble", gram.assembly_flops(), shift, assemble, {}});
  contender.steps.push_back({"assemble and solve", gram.all_flops(), shift,
                             [=] {
                               assemble();
                               require_success("ppotrf", ppotrf(n, state->a.local.data(), state->a.desc.data()));
                               require_success("ppotrs", ppotrs(n, 1, state->a.local.data(), state->a.desc.data(),
                                                                state->x.local.data(), state->x.desc.data()));
                             },
                             [=] {
                               const auto whole = gram.problem.make(n, 1);
                               state->x.for_each(
                                   [&](auto r, auto c, auto i, auto j) { whole(i, j) = state->x.local(r, c); });
                               MPI_Allreduce(MPI_IN_PLACE, whole.data(), n, MPI_DOUBLE, MPI_SUM, gram.problem.comm);
                               return gram.error(whole);
                             }});
  return contender;
}

}  // namespace tessera::perf

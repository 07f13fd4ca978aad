// SPDX-License-Identifier: BSD-3-Clause
#include "perf/compare_host/contenders.hpp"
#include "perf/compare_host/distributed.hpp"
#include "perf/compare_host/fortran.hpp"

#include <memory>

namespace tessera::perf {
template <class T>
Contender scalapack_contender(const Problem<T>& problem, GridShape grid, int block) {
  using Matrix = typename Problem<T>::Matrix;
  struct State {
    int context = 0;
    Distributed<T> a, x;
  };
  const auto state = std::make_shared<State>();
  int rank = 0;
  MPI_Comm_rank(problem.comm, &rank);
  const auto n = static_cast<int>(problem.n);

  Contender contender;
  contender.name = "ScaLAPACK";
  contender.detail = std::to_string(grid.rows) + " x " + std::to_string(grid.cols) + ", block " +
                     std::to_string(block) + ", " + describe_pages(problem.large_pages);
  contender.prepare = [=] {
    Cblacs_get(0, 0, &state->context);
    Cblacs_gridinit(&state->context, "R", grid.rows, grid.cols);
    Distributed<T>& a = state->a = Distributed<T>(grid, rank, state->context, problem.n, problem.n, block);
    a.local =
        problem.make_part(a.rows.local_extent(), a.columns.local_extent(), FromLocal{a.rows}, FromLocal{a.columns});
  };
  contender.clear = [=] {
    state->a = {};
    state->x = {};
    Cblacs_gridexit(state->context);
  };
  contender.steps.push_back({"factorize",
                             problem.factor_flops(),
                             {},
                             [=] { require_success("ppotrf", ppotrf(n, state->a.local.data(), state->a.desc.data())); },
                             {}});
  for (const std::int64_t columns : problem.nrhs) {
    contender.steps.push_back(
        {solve_name(columns), problem.solve_flops(columns),
         [=] {
           const Matrix b = problem.make_b(columns);
           Distributed<T>& x = state->x = Distributed<T>(grid, rank, state->context, problem.n, columns, block);
           x.local = problem.make(x.rows.local_extent(), x.columns.local_extent());
           x.for_each([&](auto r, auto c, auto i, auto j) { x.local(r, c) = b(i, j); });
         },
         [=] {
           require_success("ppotrs", ppotrs(n, static_cast<int>(columns), state->a.local.data(), state->a.desc.data(),
                                            state->x.local.data(), state->x.desc.data()));
         },
         [=] {
           const Distributed<T>& x = state->x;
           const Matrix whole = problem.make(problem.n, columns);
           x.for_each([&](auto r, auto c, auto i, auto j) { whole(i, j) = x.local(r, c); });
           problem.add_up(whole);
           return problem.error(whole);
         }});
  }
  contender.steps.push_back({"invert",
                             problem.invert_flops(),
                             {},
                             [=] { require_success("ppotri", ppotri(n, state->a.local.data(), state->a.desc.data())); },
                             {}});
  return contender;
}

#define TESSERA_INSTANTIATE(T) template Contender scalapack_contender(const Problem<T>&, GridShape, int block);
TESSERA_INSTANTIATE(float)
TESSERA_INSTANTIATE(double)
TESSERA_INSTANTIATE(Kokkos::complex<float>)
TESSERA_INSTANTIATE(Kokkos::complex<double>)

}  // namespace tessera::perf

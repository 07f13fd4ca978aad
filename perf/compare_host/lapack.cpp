// SPDX-License-Identifier: BSD-3-Clause
#include "perf/compare_host/contenders.hpp"
#include "perf/compare_host/fortran.hpp"

#include <memory>
#include <string>

namespace tessera::perf {

template <class T>
Contender gemm_contender(const Problem<T>& problem) {
  using Matrix = typename Problem<T>::Matrix;
  struct State {
    Matrix a, b, c;
  };
  const auto state = std::make_shared<State>();
  constexpr int n = gemm_order;
  int ranks = 0;
  MPI_Comm_size(problem.comm, &ranks);

  Contender contender;
  contender.name = "gemm";
  contender.detail = "square, n = " + std::to_string(n) + ", " + describe_pages(problem.large_pages);
  contender.prepare = [=] {
    Problem<T> square = problem;
    square.n = n;
    state->a = square.make_b(n);
    state->b = square.make_b(n);
    state->c = square.make_b(n);
  };
  contender.clear = [=] { *state = State{}; };
  const double flops = 2 * Problem<T>::flop_factor * n * n * n * ranks;
  contender.steps.push_back(
      {"gemm",
       flops,
       {},
       [=] { gemm(false, n, n, n, T(-1), state->a.data(), n, state->b.data(), n, T(1), state->c.data(), n); },
       {}});
  return contender;
}

template <class T>
Contender lapack_contender(const Problem<T>& problem) {
  using Matrix = typename Problem<T>::Matrix;
  struct State {
    Matrix a, x;
  };
  const auto state = std::make_shared<State>();
  const auto n = static_cast<int>(problem.n);

  Contender contender;
  contender.name = "LAPACK";
  contender.detail = describe_pages(problem.large_pages);
  contender.prepare = [=] { state->a = problem.make_part(problem.n, problem.n, FromIndex{}, FromIndex{}); };
  contender.clear = [=] { *state = State{}; };
  contender.steps.push_back(
      {"factorize", problem.factor_flops(), {}, [=] { require_success("potrf", potrf(n, state->a.data(), n)); }, {}});
  for (const std::int64_t columns : problem.nrhs) {
    contender.steps.push_back(
        {solve_name(columns), problem.solve_flops(columns), [=] { state->x = problem.make_b(columns); },
         [=] { require_success("potrs", potrs(n, static_cast<int>(columns), state->a.data(), n, state->x.data())); },
         [=] { return problem.error(state->x); }});
  }
  contender.steps.push_back(
      {"invert", problem.invert_flops(), {}, [=] { require_success("potri", potri(n, state->a.data(), n)); }, {}});
  return contender;
}

#define TESSERA_INSTANTIATE(T)                          \
  template Contender gemm_contender(const Problem<T>&); \
  template Contender lapack_contender(const Problem<T>&);
TESSERA_INSTANTIATE(float)
TESSERA_INSTANTIATE(double)
TESSERA_INSTANTIATE(Kokkos::complex<float>)
TESSERA_INSTANTIATE(Kokkos::complex<double>)

}  // namespace tessera::perf

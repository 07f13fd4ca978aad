#include "perf/compare_host/contenders.hpp"
#include "perf/compare_host/fortran.hpp"

#include <algorithm>
#include <memory>

namespace tessera::perf {

template <class T>
Contender gemm_contender(const Problem<T>& problem) {
  using Matrix = typename Problem<T>::Matrix;
  struct State {
    Matrix a, b, c;
  };
  const auto state = std::make_shared<State>();
  const std::int64_t square = std::min<std::int64_t>(problem.n, 3000);
  const std::int64_t half = std::max<std::int64_t>(1, problem.n / 2);
  const std::int64_t panel = std::min<std::int64_t>(half, 512);

  Contender contender;
  contender.name = "gemm";
  contender.detail = "C(m x 512) -= A(m x k) B(512 x k)^H, m = k = n / 2";
  contender.prepare = [=] {
    const std::int64_t rows = std::max(square, half);
    state->a = problem.make_b(rows);
    state->b = problem.make_b(rows);
    state->c = problem.make_b(rows);
  };
  contender.clear = [=] { *state = State{}; };
  const auto multiply = [=](bool adjoint, std::int64_t m, std::int64_t n, std::int64_t k) {
    const auto ld = static_cast<int>(problem.n);
    gemm(adjoint, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), T(-1), state->a.data(), ld,
         state->b.data(), ld, T(1), state->c.data(), ld);
  };
  const auto flops = [](std::int64_t m, std::int64_t n, std::int64_t k) {
    return 2 * Problem<T>::flop_factor * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  };
  contender.steps.push_back({"gemm " + std::to_string(square),
                             flops(square, square, square),
                             {},
                             [=] { multiply(false, square, square, square); },
                             {}});
  contender.steps.push_back(
      {"panel gemm", flops(half, panel, half), {}, [=] { multiply(true, half, panel, half); }, {}});
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

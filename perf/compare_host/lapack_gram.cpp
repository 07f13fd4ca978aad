// SPDX-License-Identifier: BSD-3-Clause
#include "perf/compare_host/contenders.hpp"
#include "perf/compare_host/fortran.hpp"

#include <memory>

namespace tessera::perf {

Contender lapack_gram_contender(const GramProblem<>& gram) {
  struct State {
    GramProblem<>::Samples j;
    Problem<double>::Matrix a, x;
  };
  const auto state = std::make_shared<State>();
  const auto n = static_cast<int>(gram.problem.n);
  const auto p = static_cast<int>(gram.parameters);

  Contender contender;
  contender.name = "LAPACK";
  contender.detail = "dsyrk, dpotrf, dpotrs, " + describe_pages(gram.problem.large_pages);
  const auto assemble = [=] {
    const double alpha = 1 / static_cast<double>(p);
    const double beta = 1;
    dsyrk_("L", "T", &n, &p, &alpha, state->j.data(), &p, &beta, state->a.data(), &n, 1, 1);
  };
  const auto shift = [=] {
    state->a = gram.problem.make(n, n);
    for (int i = 0; i < n; ++i) state->a(i, i) = 1;
    state->x = gram.problem.make_b(1);
  };
  contender.prepare = [=] { state->j = gram.make_samples(0, n); };
  contender.clear = [=] { *state = State{}; };
  contender.steps.push_back({"assemble", gram.assembly_flops(), shift, assemble, {}});
  contender.steps.push_back({"assemble and solve", gram.all_flops(), shift,
                             [=] {
                               assemble();
                               require_success("potrf", potrf(n, state->a.data(), n));
                               require_success("potrs", potrs(n, 1, state->a.data(), n, state->x.data()));
                             },
                             [=] { return gram.error(state->x); }});
  return contender;
}

}  // namespace tessera::perf

// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/compare_host/gram_problem.hpp"
#include "perf/compare_host/ours.hpp"

#include <tessera/tessera.hpp>

#include <memory>
#include <optional>

namespace tessera::perf {

/// Tessera, from samples that are sharded over the ranks, wherever the problem is.
template <class Exec>
Contender tessera_gram_contender(const GramProblem<Exec>& gram, GridShape shape, std::int64_t wished_tile,
                                 Products products = {}) {
  using Space = typename Exec::memory_space;
  struct State {
    typename GramProblem<Exec>::Samples j;
    std::optional<ShardedMatrix<double, Space>> matrix;
    typename GramProblem<Exec>::Matrix b, x;
  };
  const auto state = std::make_shared<State>();
  const std::int64_t n = gram.problem.n;
  const std::int64_t tile = detail::tile_size_for<double, Space>(wished_tile, n, shape);
  const GramOptions options{.alpha = 1 / static_cast<double>(gram.parameters),
                            .arithmetic = products.arithmetic(),
                            .moduli = products.moduli.value_or(0)};

  Contender contender;
  const MemoryPlanOptions plan{.tile_size = tile, .source = Source::gram, .gram = options, .depth = gram.parameters};
  contender.name = "Tessera" + products.describe<double, Exec>(n, shape, plan);
  contender.detail = describe_grid(shape, tile);
  contender.prepare = [=] {
    state->j = gram.make_samples(gram.begin(), gram.end());
    state->b = gram.problem.make_b(1);
    state->matrix.emplace(ProcessGrid(gram.problem.comm, shape), n, tile);
    state->matrix->fill(gram.problem.exec, detail::Shift<double>{1});
    gram.problem.exec.fence();
  };
  contender.clear = [=] { *state = State{}; };
  contender.steps.push_back({"assemble",
                             gram.assembly_flops(),
                             {},
                             [=] {
                               add_gram(gram.problem.exec, Gram{state->j, options}, *state->matrix);
                             },
                             {}});
  contender.steps.push_back(
      {"assemble and solve", gram.all_flops(), [=] { state->matrix.reset(); },
       [=] {
         CholeskyOptions choices;
         choices.grid = shape;
         choices.local_tile_size = wished_tile;
         choices.diag_shift = 1;
         choices.arithmetic = products.arithmetic();
         choices.moduli = options.moduli;
         state->x =
             cholesky_distributed(gram.problem.exec, gram.problem.comm, Gram{state->j, options}, state->b, choices).x;
       },
       [=] { return gram.error(state->x); }});
  return contender;
}

}  // namespace tessera::perf

#include "perf/compare_host/fortran.hpp"
#include "perf/compare_host/gram_problem.hpp"
#include "perf/compare_host/ours.hpp"

#include <memory>
#include <optional>

namespace tessera::perf {

double GramProblem::assembly_flops() const {
  return static_cast<double>(problem.n) * static_cast<double>(problem.n) * static_cast<double>(parameters);
}
double GramProblem::all_flops() const { return assembly_flops() + problem.factor_flops() + problem.solve_flops(1); }

Contender tessera_gram_contender(const GramProblem& gram, GridShape shape, std::int64_t wished_tile) {
  using Exec = Problem<double>::Exec;
  using Space = Exec::memory_space;
  struct State {
    Samples j;
    std::optional<ShardedMatrix<double, Space>> matrix;
    Problem<double>::Matrix b, x;
  };
  const auto state = std::make_shared<State>();
  const std::int64_t n = gram.problem.n;
  const std::int64_t tile = detail::tile_size_for<double, Space>(wished_tile, n, shape);
  const GramOptions options{.alpha = 1 / static_cast<double>(gram.parameters)};

  Contender contender;
  contender.name = "Tessera";
  contender.detail = describe_grid(shape, tile);
  contender.prepare = [=] {
    int rank = 0;
    MPI_Comm_rank(gram.problem.comm, &rank);
    const std::int64_t ranks = shape.rows * shape.cols;
    state->j = make_samples(n * rank / ranks, n * (rank + 1) / ranks, gram.parameters);
    state->b = gram.problem.make_b(1);
    state->matrix.emplace(ProcessGrid(gram.problem.comm, shape), n, tile);
    state->matrix->fill(gram.problem.exec, detail::Shift<double>{1});
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
         state->x =
             cholesky_distributed(gram.problem.exec, gram.problem.comm, Gram{state->j, options}, state->b, choices).x;
       },
       [=] { return gram_error(gram, state->x); }});
  return contender;
}

Contender lapack_gram_contender(const GramProblem& gram) {
  struct State {
    Samples j;
    Problem<double>::Matrix a, x;
  };
  const auto state = std::make_shared<State>();
  const auto n = static_cast<int>(gram.problem.n);
  const auto p = static_cast<int>(gram.parameters);

  Contender contender;
  contender.name = "LAPACK";
  contender.detail = "dsyrk, dpotrf, dpotrs";
  const auto assemble = [=] {
    const double alpha = 1 / static_cast<double>(p);
    const double beta = 1;
    dsyrk_("L", "T", &n, &p, &alpha, state->j.data(), &p, &beta, state->a.data(), &n, 1, 1);
  };
  const auto shift = [=] {
    state->a = Problem<double>::make(n, n);
    for (int i = 0; i < n; ++i) state->a(i, i) = 1;
    state->x = gram.problem.make_b(1);
  };
  contender.prepare = [=] { state->j = make_samples(0, n, p); };
  contender.clear = [=] { *state = State{}; };
  contender.steps.push_back({"assemble", gram.assembly_flops(), shift, assemble, {}});
  contender.steps.push_back({"assemble and solve", gram.all_flops(), shift,
                             [=] {
                               assemble();
                               require_success("potrf", potrf(n, state->a.data(), n));
                               require_success("potrs", potrs(n, 1, state->a.data(), n, state->x.data()));
                             },
                             [=] { return gram_error(gram, state->x); }});
  return contender;
}

}  // namespace tessera::perf

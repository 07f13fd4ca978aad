// tessera-compare-device: Tessera on a GPU, or on several, beside cuSOLVER on one, in the same run.

#include "perf/backward_error.hpp"
#include "perf/compare_device/cusolver.hpp"
#include "perf/compare_host/contender.hpp"
#include "perf/compare_host/problem.hpp"
#include "perf/output_file.hpp"
#include "perf/print.hpp"
#include "perf/program.hpp"

#include <tessera/tessera.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tessera::perf {
namespace {

using Exec = Kokkos::Cuda;
using Space = Kokkos::CudaSpace;

struct Options {
  std::vector<std::int64_t> sizes{8192, 16384, 32768};
  std::string scalar = "double";
  int repetitions = 5;
  std::vector<std::int64_t> nrhs{1, 16, 256};
  std::int64_t tile = 0;
  std::int64_t slab = 0;
  std::optional<GridShape> grid;
  bool alone = false;
  std::string json;
};

template <class T>
struct System {
  using Matrix = Kokkos::View<T**, Kokkos::LayoutLeft, Space>;

  struct FillRows {
    Matrix rows;
    RandomMatrix<T> a;
    std::int64_t first;
    KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t j) const { rows(i, j) = a(first + i, j); }
  };
  struct FillColumns {
    Matrix b;
    KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t c) const {
      const std::int64_t index = c * static_cast<std::int64_t>(b.extent(0)) + i;
      b(i, c) = make_scalar<T>(uniform(77, index) - 0.5, uniform(78, index) - 0.5);
    }
  };

  MPI_Comm comm;
  std::int64_t n;
  Exec exec{};

  RandomMatrix<T> a() const { return {n, 1}; }

  static Matrix make(std::int64_t rows, std::int64_t columns) {
    return Matrix(Kokkos::view_alloc("tessera::compare::matrix", Kokkos::WithoutInitializing),
                  static_cast<std::size_t>(rows), static_cast<std::size_t>(columns));
  }
  Matrix make_b(std::int64_t columns) const {
    const Matrix b = make(n, columns);
    for_each(b, FillColumns{b});
    return b;
  }
  Matrix make_rows(std::int64_t first, std::int64_t count) const {
    const Matrix rows = make(count, n);
    for_each(rows, FillRows{rows, a(), first});
    return rows;
  }
  double error(const Matrix& x) const {
    const auto last = x.extent(1) - 1;
    const Matrix b = make_b(static_cast<std::int64_t>(x.extent(1)));
    const auto column = Kokkos::make_pair(last, last + 1);
    return backward_error(exec, comm, a(), Matrix(Kokkos::subview(x, Kokkos::ALL(), column)),
                          Matrix(Kokkos::subview(b, Kokkos::ALL(), column)));
  }
  double factor_flops() const {
    const auto size = static_cast<double>(n);
    return (is_complex<T> ? 4 : 1) * size * size * size / 3;
  }
  double solve_flops(std::int64_t columns) const {
    const auto size = static_cast<double>(n);
    return (is_complex<T> ? 4 : 1) * 2 * size * size * static_cast<double>(columns);
  }

 private:
  template <class Function>
  void for_each(const Matrix& matrix, const Function& function) const {
    using Policy = Kokkos::MDRangePolicy<Exec, Kokkos::Rank<2, Kokkos::Iterate::Left, Kokkos::Iterate::Left>,
                                         Kokkos::IndexType<std::int64_t>>;
    if (matrix.size() == 0) return;
    Kokkos::parallel_for(
        "tessera::compare::fill",
        Policy(exec, {0, 0},
               {static_cast<std::int64_t>(matrix.extent(0)), static_cast<std::int64_t>(matrix.extent(1))}),
        function);
    exec.fence();
  }
};

template <class T>
Contender cusolver_contender(const System<T>& system, const std::vector<std::int64_t>& nrhs) {
  struct State {
    explicit State(const Exec& exec) : solver(exec) {}
    CuSolver solver;
    typename System<T>::Matrix a, x;
  };
  const auto state = std::make_shared<State>(system.exec);
  Contender contender;
  contender.name = "cuSOLVER";
  contender.prepare = [=] {
    state->a = system.make_rows(0, system.n);
    state->solver.reserve(system.n, state->a.data());
  };
  contender.clear = [=] {
    state->a = state->x = {};
    state->solver.clear();
  };
  contender.steps.push_back({"factorize",
                             system.factor_flops(),
                             {},
                             [=] {
                               state->solver.potrf(system.n, state->a.data());
                               system.exec.fence();
                             },
                             {}});
  for (const std::int64_t columns : nrhs) {
    contender.steps.push_back({solve_name(columns), system.solve_flops(columns),
                               [=] { state->x = system.make_b(columns); },
                               [=] {
                                 state->solver.potrs(system.n, columns, state->a.data(), state->x.data());
                                 system.exec.fence();
                               },
                               [=] { return system.error(state->x); }});
  }
  return contender;
}

template <class T>
Contender tessera_contender(const System<T>& system, const Options& options, GridShape shape) {
  struct State {
    ProcessGrid grid;
    std::optional<ShardedMatrix<T, Space>> matrix;
    std::optional<CholeskyFactor<T, Space>> factor;
    typename System<T>::Matrix x;
  };
  const auto state = std::make_shared<State>(State{ProcessGrid(system.comm, shape), {}, {}, {}});
  const std::int64_t tile = detail::tile_size_for<T, Space>(options.tile, system.n, shape);
  Contender contender;
  contender.name = "Tessera";
  contender.prepare = [=] {
    state->matrix.emplace(state->grid, system.n, tile, options.slab);
    state->matrix->fill(system.exec, system.a());
    system.exec.fence();
  };
  contender.clear = [=] {
    state->matrix.reset();
    state->factor.reset();
    state->x = {};
  };
  contender.steps.push_back({"factorize",
                             system.factor_flops(),
                             {},
                             [=] { state->factor.emplace(factorize<T>(system.exec, std::move(*state->matrix))); },
                             {}});
  for (const std::int64_t columns : options.nrhs) {
    contender.steps.push_back({solve_name(columns), system.solve_flops(columns),
                               [=] { state->x = system.make_b(columns); },
                               [=] {
                                 state->factor->solve(system.exec, state->x);
                                 system.exec.fence();
                               },
                               [=] { return system.error(state->x); }});
  }
  return contender;
}

template <class T>
Contender one_call_contender(const System<T>& system, const Options& options, GridShape shape) {
  struct State {
    typename System<T>::Matrix rows, b, x;
  };
  const auto state = std::make_shared<State>();
  Contender contender;
  contender.name = "cholesky_distributed";
  contender.prepare = [=] {
    const int rank = rank_in(system.comm);
    const std::int64_t ranks = size_of(system.comm);
    const std::int64_t begin = system.n * rank / ranks;
    state->rows = system.make_rows(begin, system.n * (rank + 1) / ranks - begin);
    state->b = system.make_b(1);
  };
  contender.clear = [=] { *state = State{}; };
  contender.steps.push_back({"one call",
                             system.factor_flops() + system.solve_flops(1),
                             {},
                             [=] {
                               CholeskyOptions call;
                               call.grid = shape;
                               call.local_tile_size = options.tile;
                               state->x = cholesky_distributed(system.exec, system.comm, state->rows, state->b, call).x;
                             },
                             [=] { return system.error(state->x); }});
  return contender;
}

std::string card() {
  cudaDeviceProp properties{};
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess || cudaGetDeviceProperties(&properties, device) != cudaSuccess) return "?";
  return properties.name;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

/// Appends one size's figures to `text`, and returns them.
nlohmann::ordered_json tell(std::string& text, const Options& options, std::int64_t n,
                            const std::vector<Contender>& contenders) {
  using Json = nlohmann::ordered_json;
  Json measured = Json::array();
  const Contender* ours = &contenders.back() - 1;
  const double whole = contenders.back().steps.front().median();
  print(text, "%s, n = %lld: median seconds (least, most), TF/s, times as fast as\n", options.scalar.c_str(),
        static_cast<long long>(n));
  for (const Contender& contender : contenders) {
    Json steps = Json::array();
    for (const Step& step : contender.steps) {
      const auto [least, most] = std::minmax_element(step.seconds.begin(), step.seconds.end());
      print(text, "  %-22s%-10s %9.5f (%9.5f %9.5f) %7.2f", contender.name.c_str(), step.name.c_str(), step.median(),
            *least, *most, step.gflops() * 1e-3);
      const Step* other = contenders.front().find(step.name);
      if (other != nullptr && other != &step) print(text, "  %6.3f", other->median() / step.median());
      if (step.error) print(text, "  error %.1e", step.worst_error);
      text += "\n";
      Json one = {{"name", step.name},
                  {"flops", step.flops},
                  {"median_seconds", step.median()},
                  {"gflops", step.gflops()},
                  {"seconds", step.seconds}};
      if (step.error) one["worst_backward_error"] = step.worst_error;
      steps.push_back(one);
    }
    measured.push_back({{"name", contender.name}, {"steps", steps}});
  }
  if (const Step* solve = ours->find("solve 1")) {
    print(text, "  one call / (factorize + solve 1): %.3f\n",
          whole / (ours->find("factorize")->median() + solve->median()));
  }
  return {{"n", n}, {"contenders", measured}};
}

template <class T>
void run(MPI_Comm comm, const Options& options, OutputFile* json) {
  const GridShape shape = options.grid.value_or(nearly_square(size_of(comm)));
  using Json = nlohmann::ordered_json;
  Json all = Json::array();
  const bool first = rank_in(comm) == 0;
  for (const std::int64_t n : options.sizes) {
    const System<T> system{comm, n};
    std::vector<Contender> contenders;
    if (size_of(comm) == 1 && !options.alone) contenders.push_back(cusolver_contender(system, options.nrhs));
    contenders.push_back(tessera_contender(system, options, shape));
    contenders.push_back(one_call_contender(system, options, shape));
    interleave(comm, contenders, 1, [](int, const Contender&) {});  // what is made once: modules, handles
    for (Contender& contender : contenders) {
      for (Step& step : contender.steps) step.seconds.clear();
    }
    interleave(comm, contenders, options.repetitions, [](int, const Contender&) {});
    std::string text;
    all.push_back(tell(text, options, n, contenders));
    if (first) std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  }
  int runtime = 0;
  int driver = 0;
  cudaRuntimeGetVersion(&runtime);
  cudaDriverGetVersion(&driver);
  everywhere(comm, [&] {
    if (json == nullptr || !first) return;
    const Json data = {{"program", "tessera-compare-device"},
                       {"date", utc_now()},
                       {"card", card()},
                       {"kokkos", KOKKOS_VERSION},
                       {"cuda_runtime", runtime},
                       {"cuda_driver", driver},
                       {"ranks", size_of(comm)},
                       {"grid", {shape.rows, shape.cols}},
                       {"scalar", options.scalar},
                       {"repetitions", options.repetitions},
                       {"sizes", all}};
    json->write(data.dump(2) + "\n");
  });
}

}  // namespace
}  // namespace tessera::perf

int main(int argc, char** argv) {
  using namespace tessera::perf;
  Options options;
  std::vector<std::string> grid;
  CLI::App app("Measures Tessera on GPUs, beside cuSOLVER where there is one rank, by turns.",
               "tessera-compare-device");
  app.add_option("--n", options.sizes, "orders of the matrix")->check(more_than_zero())->type_name("N...");
  add_scalar_option(app, options.scalar);
  app.add_option("--repetitions", options.repetitions, "of everything; medians are shown")->check(more_than_zero());
  app.add_option("--rhs", options.nrhs, "numbers of right-hand sides to solve for")->check(more_than_zero());
  app.add_option("--tile", options.tile, "Tessera's tile size; 0: the library's choice");
  app.add_option("--slab", options.slab, "Tessera's slab, but for the one call; 0: the library's choice");
  app.add_option("--grid", grid, "Tessera's process grid, as RxC [nearly square]");
  app.add_flag("--alone", options.alone, "without cuSOLVER");
  app.add_option("--json", options.json, "write everything to this file as well, as JSON")->type_name("FILE");
  return run_program(app, argc, argv, [&](MPI_Comm comm) {
    if (!grid.empty()) options.grid = parse_grids(grid).front();
    std::unique_ptr<OutputFile> json;
    everywhere(comm, [&] {
      if (rank_in(comm) == 0 && !options.json.empty()) json = std::make_unique<OutputFile>(options.json);
    });
    with_scalar(options.scalar, [&](auto scalar) { run<decltype(scalar)>(comm, options, json.get()); });
  });
}

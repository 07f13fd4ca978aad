// SPDX-License-Identifier: BSD-3-Clause
// tessera-compare-device: Tessera on a GPU, or on several, beside cuSOLVER on one, in the same run.

#include "perf/compare_device/activity.hpp"
#include "perf/compare_device/contenders.hpp"
#include "perf/compare_host/contender.hpp"
#include "perf/compare_host/json.hpp"
#include "perf/compare_host/ours.hpp"
#include "perf/compare_host/ours_gram.hpp"
#include "perf/output_file.hpp"
#include "perf/print.hpp"
#include "perf/program.hpp"
#include "perf/provenance.hpp"

#include <tessera/tessera.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace tessera::perf {
namespace {

struct Options {
  std::vector<std::int64_t> sizes{8192, 16384, 32768};
  std::string scalar = "double";
  std::int64_t parameters = 0;
  int repetitions = 5;
  std::vector<std::int64_t> nrhs{1, 16, 256};
  std::int64_t tile = 0;
  std::int64_t slab = 0;
  std::vector<int> moduli;
  std::vector<double> gibibytes_free;
  std::optional<GridShape> grid;
  bool alone = false;
  bool pieces = false;
  std::string json;
  std::string timeline;
};

/// What this rank's GPU does while Tessera factorises and solves once.
std::vector<Activity::Event> record(MPI_Comm comm, Contender& ours) {
  ours.prepare();
  for (Step& step : ours.steps) {
    if (step.prepare) step.prepare();
  }
  MPI_Barrier(comm);
  Activity::start();
  for (Step& step : ours.steps) step.run();
  std::vector<Activity::Event> events = Activity::stop();
  ours.clear();
  return events;
}

template <class T>
std::vector<Contender> line_up(MPI_Comm comm, const Options& options, GridShape shape, std::int64_t n) {
  std::vector<Contender> contenders;
  const System<T> system{comm, n, options.nrhs, {n, 1}};
  if (options.parameters > 0) {
    const GramProblem<Kokkos::Cuda> gram{{comm, n, {1}, {n, 1}}, options.parameters};
    contenders.push_back(tessera_gram_contender(gram, shape, options.tile));
    for (const int moduli : options.moduli) {
      contenders.push_back(tessera_gram_contender(gram, shape, options.tile, {moduli}));
    }
    return contenders;
  }
  if (size_of(comm) == 1 && !options.alone) {
    contenders.push_back(cusolver_contender(system));
    contenders.push_back(trsm_contender(system));
  }
  contenders.push_back(tessera_contender(system, shape, options.tile, options.slab));
  if (!options.pieces) contenders.push_back(one_call_contender(system, shape, options.tile));
  for (const int moduli : options.moduli) {
    std::vector<Products> products{{moduli}};
    for (const double free : options.gibibytes_free) {
      products.push_back({moduli, static_cast<std::int64_t>(free * 1024 * 1024 * 1024)});
    }
    for (const Products& some : products) {
      contenders.push_back(tessera_contender(system, shape, options.tile, options.slab, some));
      if (!options.pieces) contenders.push_back(one_call_contender(system, shape, options.tile, some));
    }
  }
  return contenders;
}

/// Of Tessera's step: what is fastest of the others at it, or null.
const Step* best_of_others(const std::vector<Contender>& contenders, const Contender& ours, const Step& step) {
  const Step* fastest = nullptr;
  if (!ours.name.starts_with("Tessera")) return nullptr;
  for (const char* name : {"cuSOLVER", "cuBLAS"}) {
    const Contender* other = best(contenders, name, step.name);
    if (other == nullptr) continue;
    if (fastest == nullptr || other->find(step.name)->median() < fastest->median()) fastest = other->find(step.name);
  }
  return fastest;
}

/// Appends one size's figures to `text`, and returns them.
nlohmann::ordered_json tell(std::string& text, const Options& options, std::int64_t n,
                            const std::vector<Contender>& contenders) {
  print(text, "%s, n = %lld: median seconds (least, most), TF/s, times as fast as the best of the others\n",
        options.scalar.c_str(), static_cast<long long>(n));
  for (const Contender& contender : contenders) {
    for (const Step& step : contender.steps) {
      const auto [least, most] = std::minmax_element(step.seconds.begin(), step.seconds.end());
      print(text, "  %-22s%-10s %9.5f (%9.5f %9.5f) %7.2f", contender.name.c_str(), step.name.c_str(), step.median(),
            *least, *most, step.gflops() * 1e-3);
      if (const Step* other = best_of_others(contenders, contender, step)) {
        print(text, "  %6.3f", other->median() / step.median());
      }
      if (step.error) print(text, "  error %.1e", step.worst_error);
      text += "\n";
    }
  }
  const Contender* ours = best(contenders, "Tessera", "solve 1");
  const Contender* one_call = best(contenders, "cholesky_distributed", "one call");
  if (ours != nullptr && one_call != nullptr) {
    print(text, "  one call / (factorize + solve 1): %.3f\n",
          one_call->find("one call")->median() / (ours->find("factorize")->median() + ours->find("solve 1")->median()));
  }
  return {{"n", n}, {"contenders", to_json(contenders)}};
}

template <class T>
void run(MPI_Comm comm, const Options& options, OutputFile* json, OutputFile* timeline) {
  const GridShape shape = options.grid.value_or(nearly_square(size_of(comm)));
  using Json = nlohmann::ordered_json;
  Json all = Json::array();
  std::vector<Activity::Event> events;
  std::string wrong;
  const bool first = rank_in(comm) == 0;
  for (const std::int64_t n : options.sizes) {
    std::vector<Contender> contenders = line_up<T>(comm, options, shape, n);
    interleave(comm, contenders, 1, [](int, const Contender&) {});  // what is made once: modules, handles
    for (Contender& contender : contenders) {
      for (Step& step : contender.steps) step.seconds.clear();
    }
    interleave(comm, contenders, options.repetitions, [](int, const Contender&) {});
    // By itself: what comes after so long a gemm runs at a lower clock.
    std::vector<Contender> gemm{device_gemm_contender(System<T>{comm, n, options.nrhs, {n, 1}})};
    interleave(comm, gemm, options.repetitions, [](int, const Contender&) {});
    contenders.insert(contenders.begin(), std::move(gemm.front()));
    for (const Contender& contender : contenders) {
      if (!(contender.worst_error() <= static_cast<double>(n) * std::numeric_limits<detail::RealOf<T>>::epsilon())) {
        wrong += contender.name + ", n = " + std::to_string(n) + "; ";
      }
    }
    std::string text;
    all.push_back(tell(text, options, n, contenders));
    if (first) std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
    if (!options.timeline.empty() && n == options.sizes.back()) {
      const auto ours = std::find_if(contenders.rbegin(), contenders.rend(),
                                     [](const Contender& c) { return c.name.starts_with("Tessera"); });
      events = record(comm, *ours);
    }
  }
  everywhere(comm, [&] {
    if (!wrong.empty()) throw std::runtime_error("wrong results: " + wrong);
  });
  const char* const buffers = std::getenv("TESSERA_MPI_BUFFERS");
  everywhere(comm, [&] {
    if (json == nullptr || !first) return;
    Json data = provenance("tessera-compare-device");
    data.update({{"ranks", size_of(comm)},
                 {"grid", {shape.rows, shape.cols}},
                 {"mpi_buffers", buffers == nullptr ? "automatic" : buffers},
                 {"scalar", options.scalar},
                 {"parameters", options.parameters},
                 {"repetitions", options.repetitions},
                 {"sizes", all}});
    json->write(data.dump(2) + "\n");
  });
  everywhere(comm, [&] {
    if (timeline == nullptr) return;
    Json names = Json::array();  // long ones, of many events each
    Json all_events = Json::array();
    for (const Activity::Event& e : events) {
      const auto name = std::find(names.begin(), names.end(), e.name);
      all_events.push_back({name - names.begin(), e.stream, e.begin, e.end});
      if (name == names.end()) names.push_back(e.name);
    }
    Json data = provenance("tessera-compare-device --timeline");
    data.update({{"rank", 0},
                 {"ranks", size_of(comm)},
                 {"grid", {shape.rows, shape.cols}},
                 {"scalar", options.scalar},
                 {"n", options.sizes.back()},
                 {"names", names},
                 {"events", all_events}});
    timeline->write(data.dump() + "\n");
  });
}

}  // namespace
}  // namespace tessera::perf

int main(int argc, char** argv) {
  using namespace tessera::perf;
  Options options;
  std::vector<std::string> grid;
  CLI::App app("Measures Tessera on GPUs, beside cuSOLVER and cuBLAS where there is one rank, interleaved.",
               "tessera-compare-device");
  app.add_option("--n", options.sizes, "orders of the matrix")->check(more_than_zero())->type_name("N...");
  add_scalar_option(app, options.scalar);
  CLI::Option* const parameters =
      app.add_option("--parameters", options.parameters,
                     "instead, assemble A = J J^T from a Jacobian of so many columns, in double, and solve with it")
          ->check(more_than_zero())
          ->type_name("P");
  app.add_option("--repetitions", options.repetitions, "of everything; medians are shown")->check(more_than_zero());
  app.add_option("--rhs", options.nrhs, "numbers of right-hand sides to solve for")->check(more_than_zero());
  app.add_option("--tile", options.tile, "Tessera's tile size; 0: the library's choice");
  app.add_option("--slab", options.slab, "Tessera's slab, but for the one call; 0: the library's choice");
  CLI::Option* const moduli =
      app.add_option("--moduli", options.moduli,
                     "factorise, or assemble, by integers as well, with so many moduli; 0: the library's choice")
          ->check(CLI::Range(0, 15));
  app.add_option("--free", options.gibibytes_free,
                 "and by integers of as many columns as fit into so much memory of each rank")
      ->check(more_than_zero())
      ->type_name("GIB...")
      ->needs(moduli)
      ->excludes(parameters);
  app.add_option("--grid", grid, "Tessera's process grid, as RxC [nearly square]");
  app.add_flag("--alone", options.alone, "without cuSOLVER and cuBLAS");
  app.add_flag("--pieces", options.pieces, "without the whole call, for which the rows of A must fit beside the tiles")
      ->excludes(parameters);
  app.add_option("--json", options.json, "write everything to this file as well, as JSON")->type_name("FILE");
  app.add_option(
         "--timeline", options.timeline,
         "write what the GPU of rank 0 does in one more run of the last size, and the last number of moduli, kernel "
         "by kernel, as JSON")
      ->type_name("FILE");
  return run_program(app, argc, argv, [&](MPI_Comm comm) {
    if (!grid.empty()) options.grid = parse_grids(grid).front();
    if (options.parameters > 0 && options.scalar != "double") throw UsageError("--parameters: in double only");
    std::unique_ptr<OutputFile> json;
    std::unique_ptr<OutputFile> timeline;
    everywhere(comm, [&] {
      if (rank_in(comm) != 0) return;
      if (!options.json.empty()) json = std::make_unique<OutputFile>(options.json);
      if (!options.timeline.empty()) timeline = std::make_unique<OutputFile>(options.timeline);
    });
    with_scalar(options.scalar, [&](auto scalar) { run<decltype(scalar)>(comm, options, json.get(), timeline.get()); });
  });
}

// SPDX-License-Identifier: BSD-3-Clause
// tessera-compare: Tessera beside LAPACK, on one rank, or ScaLAPACK, on several, over the same BLAS in the same run.

#include "perf/compare_host/contenders.hpp"
#include "perf/compare_host/ours.hpp"
#include "perf/compare_host/ours_by_rows.hpp"
#include "perf/compare_host/ours_gram.hpp"
#include "perf/compare_host/summary.hpp"
#include "perf/machine.hpp"
#include "perf/output_file.hpp"
#include "perf/program.hpp"
#include "perf/progress_bar.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace tessera::perf;
using tessera::GridShape;

struct Options {
  std::int64_t n = 4000;
  std::int64_t parameters = 0;
  std::string scalar = "double";
  int repetitions = 5;
  std::vector<std::int64_t> nrhs{1, 16, 256};
  std::vector<std::int64_t> tiles{0};
  std::vector<GridShape> grids;
  std::int64_t slab = 0;
  std::string large_pages = "both";
  std::vector<std::string> only;
  std::string json;
};

/// body(large_pages) for how the others are to have their arrays; Tessera's own are always in large pages.
template <class Body>
void for_each_pages(const Options& options, const Body& body) {
  if (options.large_pages != "yes") body(false);
  if (options.large_pages != "no") body(true);
}

/// body(grid, block) for what ScaLAPACK is run with, where there are several ranks; without it `body` is not compiled.
template <class Body>
void for_each_scalapack([[maybe_unused]] int ranks, [[maybe_unused]] const Body& body) {
#ifdef TESSERA_WITH_SCALAPACK
  for (int rows = 1; ranks > 1 && rows <= ranks; ++rows) {
    if (ranks % rows != 0) continue;
    for (const int block : {64, 128}) body(GridShape{rows, ranks / rows}, block);
  }
#endif
}

std::vector<GridShape> grids_of(const Options& options, int ranks) {
  return options.grids.empty() ? std::vector<GridShape>{tessera::nearly_square(ranks)} : options.grids;
}

/// Those that assemble the matrix of a natural gradient.
std::vector<Contender> line_up_grams(MPI_Comm comm, const Options& options) {
  const GramProblem<> gram{{comm, options.n, {1}, {options.n, 1}}, options.parameters};
  const int ranks = size_of(comm);
  std::vector<Contender> contenders;
  for_each_pages(options, [&](bool large_pages) {
    GramProblem<> theirs = gram;
    theirs.problem.large_pages = large_pages;
    contenders.push_back(gemm_contender(theirs.problem));
    if (ranks == 1) contenders.push_back(lapack_gram_contender(theirs));
    for_each_scalapack(
        ranks, [&](GridShape grid, int block) { contenders.push_back(scalapack_gram_contender(theirs, grid, block)); });
  });
  for (const GridShape grid : grids_of(options, ranks)) {
    for (const std::int64_t tile : options.tiles) contenders.push_back(tessera_gram_contender(gram, grid, tile));
  }
  return contenders;
}

template <class T>
std::vector<Contender> line_up(MPI_Comm comm, const Options& options) {
  const Problem<T> problem{comm, options.n, options.nrhs, {options.n, 1}};
  const int ranks = size_of(comm);
  std::vector<Contender> contenders;
  for_each_pages(options, [&](bool large_pages) {
    Problem<T> theirs = problem;
    theirs.large_pages = large_pages;
    contenders.push_back(gemm_contender(theirs));
    if (ranks == 1) contenders.push_back(lapack_contender(theirs));
    for_each_scalapack(
        ranks, [&](GridShape grid, int block) { contenders.push_back(scalapack_contender(theirs, grid, block)); });
  });
  for (const GridShape grid : grids_of(options, ranks)) {
    for (const std::int64_t tile : options.tiles) {
      contenders.push_back(tessera_contender(problem, grid, tile, options.slab));
      if (ranks > 1) contenders.push_back(by_rows_contender(problem, grid, tile, options.slab));
      contenders.push_back(one_call_contender(problem, grid, tile));
    }
  }
  return contenders;
}

void run(MPI_Comm comm, const Options& options) {
  const bool first = rank_in(comm) == 0;
  std::unique_ptr<OutputFile> json;
  everywhere(comm, [&] {
    if (first && !options.json.empty()) json = std::make_unique<OutputFile>(options.json);
  });
  Summary summary;
  summary.scalar = options.scalar;
  summary.n = options.n;
  summary.parameters = options.parameters;
  summary.ranks = size_of(comm);
  summary.repetitions = options.repetitions;
  summary.machine = this_machine();
  summary.load_before = load_average();
  if (options.parameters > 0) {
    summary.contenders = line_up_grams(comm, options);
  } else {
    with_scalar(options.scalar, [&](auto scalar) { summary.contenders = line_up<decltype(scalar)>(comm, options); });
  }
  if (!options.only.empty()) {
    std::erase_if(summary.contenders, [&](const Contender& contender) {
      return std::find(options.only.begin(), options.only.end(), contender.name) == options.only.end();
    });
  }
  const bool watched = first && stderr_is_watched();
  interleave(comm, summary.contenders, options.repetitions, [&](int repetition, const Contender& contender) {
    if (!watched) return;
    std::fprintf(stderr, "\r%d of %d: %s %s\033[K", repetition + 1, options.repetitions, contender.name.c_str(),
                 contender.detail.c_str());
  });
  if (watched) std::fputs("\r\033[K", stderr);
  summary.load_after = load_average();
  if (first) {
    std::fputs(summary.text().c_str(), stdout);
    std::fflush(stdout);
  }
  everywhere(comm, [&] {
    if (json) json->write(summary.json());
  });
  const double bound = options.scalar.find("float") == std::string::npos ? 1e-13 : 1e-4;
  for (const Contender& contender : summary.contenders) {
    if (!(contender.worst_error() < bound)) throw std::runtime_error(contender.name + " gives a wrong solution");
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::vector<std::string> grids;
  CLI::App app(
      "Measures Tessera beside LAPACK (one rank) or ScaLAPACK (several), interleaved. Ranks times BLAS threads\n"
      "should be the number of cores.",
      "tessera-compare");
  app.add_option("--n", options.n, "order of the matrix")
      ->check(more_than_zero())
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--parameters", options.parameters,
                 "instead, assemble A = J J^T from a Jacobian of so many columns, in double, and solve with it")
      ->check(more_than_zero())
      ->type_name("P");
  add_scalar_option(app, options.scalar);
  app.add_option("--repetitions", options.repetitions, "of everything; medians are shown")
      ->check(more_than_zero())
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--rhs", options.nrhs, "numbers of right-hand sides to solve for")
      ->check(more_than_zero())
      ->type_name("N...")
      ->capture_default_str();
  app.add_option("--tile", options.tiles, "Tessera's tile sizes; 0: the library's choice")
      ->type_name("ROWS...")
      ->capture_default_str();
  app.add_option("--grid", grids, "Tessera's process grids, as RxC [nearly square]")->type_name("RxC...");
  app.add_option("--slab", options.slab, "Tessera's slab; 0: the library's choice")
      ->type_name("COLUMNS")
      ->capture_default_str();
  app.add_option(
         "--large-pages", options.large_pages,
         "whether the system is asked for large pages for the others' arrays, as Tessera asks for its own: yes, "
         "no, or both, one after the other")
      ->check(CLI::IsMember({"both", "yes", "no"}))
      ->type_name("CHOICE")
      ->capture_default_str();
  app.add_option("--only", options.only, "measure those of these names alone")->type_name("NAME...");
  app.add_option("--json", options.json, "write everything to this file as well, as JSON")->type_name("FILE");

  return run_program(app, argc, argv, [&](MPI_Comm comm) {
    if (!grids.empty()) options.grids = parse_grids(grids);
    if (options.parameters > 0 && options.scalar != "double") throw UsageError("--parameters: in double only");
    run(comm, options);
  });
}

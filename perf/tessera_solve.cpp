// SPDX-License-Identifier: BSD-3-Clause
// tessera-solve: fits a Gaussian process to scattered points, or solves A x = b in HDF5 files, and says how fast and
// how accurately.

#include "perf/file_names.hpp"
#include "perf/fit.hpp"
#include "perf/output_file.hpp"
#include "perf/plan.hpp"
#include "perf/program.hpp"
#include "perf/report.hpp"
#include "perf/solve_files.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace tessera::perf;

const char* const exit_codes =
    "Exit codes:\n"
    "  0  all went well\n"
    "  1  a file, memory or MPI failed\n"
    "  2  the arguments make no sense\n"
    "  3  the matrix is not positive definite\n"
    "  4  x or its residual is not finite: the report is written, --out is not\n"
    "  5  --plan: it does not fit\n"
    "Where it is not 0, one line on stderr says why, and files that were to be replaced stay, but for the reports of "
    "4\n"
    "and 5. Outputs are regular files.\n";

/// Throws unless the sizes of the matrix and of the right-hand sides are numbers that can be counted with.
void require_addressable(const Settings& settings) {
  const std::size_t bytes = bytes_per_number(settings.scalar);
  const auto too_many = [](const char* option, std::int64_t columns) {
    return UsageError(std::string(option) + ": more numbers than can be addressed, got " + std::to_string(columns));
  };
  if (!is_addressable(settings.n, settings.n, bytes)) throw too_many("--n", settings.n);
  if (!is_addressable(settings.n, settings.nrhs, bytes)) throw too_many("--rhs", settings.nrhs);
}

/// One process is enough for a plan, and several print it once.
void plan(MPI_Comm comm, const Settings& settings, int ranks, std::optional<double> gibibytes_free) {
  const PlanReport report = plan_memory(settings, ranks, gibibytes_free);
  everywhere(comm, [&] {
    if (rank_in(comm) != 0) return;
    require_distinct({{"--json", settings.json}}, {});
    if (!settings.json.empty()) OutputFile(settings.json).write(report.json());
    say(report.text());
  });
  if (!report.plan.fits) throw ProgramError(ExitCode::does_not_fit, "--plan: does not fit into what is --free");
}

void run(MPI_Comm comm, const Settings& settings) {
  const bool first = rank_in(comm) == 0;
  const bool recorded = !settings.timeline.empty() && rank_in(comm) == settings.timeline_rank;
  std::unique_ptr<OutputFile> json;
  std::unique_ptr<OutputFile> timeline;
  everywhere(comm, [&] {
    if (first) require_distinct({{"--json", settings.json}, {"--timeline", settings.timeline}}, {});
    if (first && !settings.json.empty()) json = std::make_unique<OutputFile>(settings.json);
    if (recorded) timeline = std::make_unique<OutputFile>(settings.timeline);
  });
  Report report;
  with_scalar(settings.scalar, [&](auto scalar) { report = fit<decltype(scalar)>(comm, settings); });
  everywhere(comm, [&] {
    if (first) say(report.text());
    if (json) json->stage(report.json());
    if (timeline) timeline->stage(report.timeline_json());
  });
  everywhere(comm, [&] {
    if (json) json->commit();
    if (timeline) timeline->commit();
  });
  if (!report.not_finite.empty()) throw ProgramError(ExitCode::not_finite, report.not_finite + " is not finite");
}

/// --rhs where there is no --matrix.
std::int64_t parse_count(std::string word) {
  const std::string complaint = whole_number(1)(word);
  if (!complaint.empty()) throw UsageError("--rhs: " + complaint);
  return std::stoll(word);
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  std::vector<std::string> grid;
  std::string rhs = "1";
  std::string matrix;
  std::string out;
  std::string triangle = "lower";
  std::string on_failure = "raise";
  std::string arithmetic = "native";
  FileSettings files;
  CLI::App app(
      "Fits a Gaussian process to n scattered points of the unit cube by a distributed Cholesky factorisation.\n"
      "With --matrix, --rhs and --out it solves A x = b in HDF5 files instead.\n"
      "Run it on any number of MPI ranks.",
      "tessera-solve");
  app.footer(exit_codes);
  CLI::Option* n = app.add_option("--n", settings.n, "number of points, the order of the matrix")
                       ->check(whole_number(1))
                       ->type_name("N")
                       ->capture_default_str();
  CLI::Option* rhs_option =
      app.add_option("--rhs", rhs,
                     "right-hand sides: sets of observations, solved for at once; with --matrix, where b is, n numbers "
                     "or n x nrhs")
          ->type_name("N|FILE:/DATASET")
          ->capture_default_str();
  CLI::Option* scalar = add_scalar_option(app, settings.scalar);
  CLI::Option* kernel = app.add_option("--kernel", settings.kernel, "covariance: matern52, matern32 or rbf")
                            ->check(CLI::IsMember({"matern52", "matern32", "rbf"}))
                            ->type_name("NAME")
                            ->capture_default_str();
  CLI::Option* length_scale =
      app.add_option("--length-scale", settings.length_scale, "of the kernel, in edges of the cube")
          ->check(more_than_zero())
          ->type_name("LENGTH")
          ->capture_default_str();
  CLI::Option* noise =
      app.add_option("--noise", settings.noise, "variance of the observations' noise, added to the diagonal")
          ->check(zero_or_more())
          ->type_name("VARIANCE")
          ->capture_default_str();
  CLI::Option* seed = app.add_option("--seed", settings.seed, "of points and observations")
                          ->check(whole_number(0))
                          ->type_name("N")
                          ->capture_default_str();
  app.add_option("--shift", settings.shift, "added to the diagonal of the matrix as well")
      ->check(finite_number())
      ->type_name("SHIFT")
      ->capture_default_str();
  app.add_option("--grid", grid, "process grid, as RxC or as R C; R times C is the number of ranks [nearly square]")
      ->expected(1, 2)
      ->type_name("RxC");
  app.add_option("--tile", settings.tile, "rows and columns of a tile; 0: the library's choice")
      ->check(whole_number(0))
      ->type_name("ROWS")
      ->capture_default_str();
  CLI::Option* slab = app.add_option("--slab", settings.slab,
                                     "columns of a rank's matrix that are stored together; 0: the library's choice")
                          ->check(whole_number(0))
                          ->type_name("COLUMNS")
                          ->capture_default_str();
  add_arithmetic_options(app, arithmetic, settings.moduli);
  app.add_option("--json", settings.json, "write the report to this file as well, as JSON")->type_name("FILE");
  CLI::Option* timeline =
      app.add_option("--timeline", settings.timeline,
                     "write to this file when one rank was where in factorize and solve, as JSON (perf/plot.py)")
          ->type_name("FILE");
  app.add_option("--timeline-rank", settings.timeline_rank, "the rank, which is also the one that writes the file")
      ->check(whole_number(0, std::numeric_limits<int>::max()))
      ->needs(timeline)
      ->type_name("RANK")
      ->capture_default_str();

  int planned_ranks = 0;
  double gibibytes_free = 0;
  CLI::Option* plan_option =
      app.add_option("--plan", planned_ranks, "solve nothing: print the memory that this takes on so many ranks")
          ->check(whole_number(1, std::numeric_limits<int>::max()))
          ->type_name("RANKS")
          ->excludes(timeline);
  CLI::Option* free_option =
      app.add_option("--free", gibibytes_free, "memory that is free on each of them, for a tile and a slab that fit")
          ->check(more_than_zero())
          ->type_name("GIB")
          ->needs(plan_option);

  CLI::Option* matrix_option =
      app.add_option("--matrix", matrix,
                     "solve A x = b in files: where A is, n x n numbers, of which one triangle is read; float, double "
                     "or h5py's complex, as b")
          ->type_name("FILE:/DATASET")
          ->needs(rhs_option);
  for (CLI::Option* other : {n, kernel, length_scale, noise, seed, slab, timeline, plan_option}) {
    matrix_option->excludes(other);
  }
  CLI::Option* out_option =
      app.add_option("--out", out,
                     "where x goes, of b's shape and type, with attributes that say how it came about: a new file, "
                     "which replaces one of that name once all has gone well")
          ->type_name("FILE:/DATASET")
          ->needs(matrix_option);
  matrix_option->needs(out_option);
  app.add_option("--triangle", triangle, "which half of A is read: lower or upper")
      ->check(CLI::IsMember({"lower", "upper"}))
      ->type_name("NAME")
      ->capture_default_str()
      ->needs(matrix_option);
  app.add_option("--on-failure", on_failure,
                 "where A is not positive definite: raise, an error, or fill_nan, an x of NaNs")
      ->check(CLI::IsMember({"raise", "fill_nan"}))
      ->type_name("NAME")
      ->capture_default_str()
      ->needs(matrix_option);

  return run_program(app, argc, argv, [&](MPI_Comm comm) {
    if (!grid.empty()) {
      const auto grids = parse_grids(grid);
      if (grids.size() != 1) throw UsageError("--grid: expected one grid");
      settings.grid = grids.front();
    }
    settings.arithmetic = arithmetic_of(arithmetic);
    if (!matrix_option->empty()) {
      files.matrix = parse_dataset_name("--matrix", matrix);
      files.rhs = parse_dataset_name("--rhs", rhs);
      files.out = parse_dataset_name("--out", out);
      if (!scalar->empty()) files.scalar = settings.scalar;
      files.json = settings.json;
      files.options.local_tile_size = settings.tile;
      files.options.grid = settings.grid;
      files.options.diag_shift = settings.shift;
      files.options.arithmetic = settings.arithmetic;
      files.options.moduli = settings.moduli;
      files.options.triangle = triangle == "upper" ? tessera::Triangle::upper : tessera::Triangle::lower;
      files.options.on_failure = on_failure == "raise" ? tessera::Failure::raise : tessera::Failure::fill_nan;
      return solve_files(comm, files);
    }
    settings.nrhs = parse_count(rhs);
    require_addressable(settings);
    if (planned_ranks > 0) {
      if (settings.grid && std::int64_t{settings.grid->rows} * settings.grid->cols != planned_ranks) {
        throw UsageError("--grid: rows times columns must be the " + std::to_string(planned_ranks) +
                         " ranks of --plan");
      }
      const double most = 0x1p63 / 0x1p30;  // a std::int64_t of bytes
      if (gibibytes_free >= most) {
        throw UsageError("--free: expected less than " + std::to_string(std::int64_t{1} << 33) + ", got " +
                         free_option->as<std::string>());
      }
      return plan(comm, settings, planned_ranks,
                  free_option->empty() ? std::nullopt : std::optional<double>(gibibytes_free));
    }
    if (settings.timeline_rank >= size_of(comm)) {
      throw UsageError("--timeline-rank: expected 0 to " + std::to_string(size_of(comm) - 1) + ", got " +
                       std::to_string(settings.timeline_rank));
    }
    run(comm, settings);
  });
}

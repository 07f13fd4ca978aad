// SPDX-License-Identifier: BSD-3-Clause
#include "perf/solve_files.hpp"

#include "perf/file_matrix.hpp"
#include "perf/file_names.hpp"
#include "perf/finite.hpp"
#include "perf/hdf5_file.hpp"
#include "perf/output_file.hpp"
#include "perf/print.hpp"
#include "perf/program.hpp"
#include "perf/residual.hpp"

#include <tessera/tessera.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace tessera::perf {
namespace {

using Json = nlohmann::ordered_json;

/// A and b, open.
struct System {
  Dataset matrix;
  Dataset rhs;

  explicit System(const FileSettings& settings) : matrix(settings.matrix), rhs(settings.rhs) {
    if (matrix.dimensions() != 2 || matrix.rows() != matrix.columns() || matrix.rows() == 0) {
      throw std::runtime_error(matrix.name() + ": expected n x n numbers, got " + matrix.shape());
    }
    if (rhs.rows() != matrix.rows()) {
      throw std::runtime_error(rhs.name() + ": expected " + std::to_string(matrix.rows()) + " rows, as many as " +
                               matrix.name() + " has, got " + rhs.shape());
    }
    if (rhs.columns() == 0) throw std::runtime_error(rhs.name() + ": no right-hand side, but " + rhs.shape());
    if (rhs.scalar() != matrix.scalar()) {
      throw std::runtime_error(matrix.name() + " holds " + matrix.scalar() + " and " + rhs.name() + " " + rhs.scalar() +
                               ": expected one type");
    }
    if (!settings.scalar.empty() && settings.scalar != matrix.scalar()) {
      throw std::runtime_error("--scalar: " + settings.scalar + ", but " + matrix.name() + " holds " + matrix.scalar());
    }
  }
};

template <class T>
using HostMatrix = Kokkos::View<T**, Kokkos::LayoutRight, Kokkos::HostSpace>;  // as HDF5 has it

std::runtime_error out_of_memory(const Dataset& dataset) {
  return std::runtime_error(dataset.name() + ": out of memory for " + dataset.shape() + " numbers");
}

template <class T>
HostMatrix<T> read_finite(const Dataset& dataset) {
  HostMatrix<T> numbers;
  try {
    numbers = HostMatrix<T>("tessera::solve_files::b", static_cast<std::size_t>(dataset.rows()),
                            static_cast<std::size_t>(dataset.columns()));
  } catch (const std::exception&) {  // of which type is up to Kokkos
    throw out_of_memory(dataset);
  }
  dataset.read(0, dataset.rows(), 0, dataset.columns(), numbers.data());
  for (std::int64_t i = 0; i < dataset.rows(); ++i) {
    for (std::int64_t c = 0; c < dataset.columns(); ++c) require_finite(numbers(i, c), dataset.name(), i, c);
  }
  return numbers;
}

double slowest(MPI_Comm comm, double seconds) {
  MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX, comm);
  return seconds;
}

/// What is to be known about x, by the names of its attributes.
Json describe(MPI_Comm comm, const FileSettings& settings, const System& system, const CholeskyInfo& info,
              const Residual& residual, const std::string& not_finite) {
  const CholeskyOptions& options = settings.options;
  return {{"program", std::string("tessera-solve ") + version()},
          {"matrix", settings.matrix.text()},
          {"rhs", settings.rhs.text()},
          {"n", system.matrix.rows()},
          {"nrhs", system.rhs.columns()},
          {"scalar", system.matrix.scalar()},
          {"execution_space", Kokkos::DefaultExecutionSpace::name()},
          {"ranks", size_of(comm)},
          {"grid", {info.grid.rows, info.grid.cols}},
          {"tile_size", info.tile_size},
          {"arithmetic", name_of(info.arithmetic)},
          {"moduli", info.moduli},
          {"integer_columns", info.integer_columns},
          {"triangle", options.triangle == Triangle::lower ? "lower" : "upper"},
          {"diag_shift", info.diag_shift},
          {"on_failure", options.on_failure == Failure::raise ? "raise" : "fill_nan"},
          {"leading_minor", info.leading_minor},
          {"seconds_redistribute", slowest(comm, info.seconds.redistribute)},
          {"seconds_factorize", slowest(comm, info.seconds.factorize)},
          {"seconds_solve", slowest(comm, info.seconds.solve)},
          {"residual", residual.norm},
          {"backward_error", residual.backward_error},
          {"not_finite", not_finite}};
}

/// Whether x is what was asked for: numbers, or NaNs where A is not positive definite.
bool is_usable(const Json& about) { return about["not_finite"] == "" || about["leading_minor"] > 0; }

std::string text(const Json& about) {
  const auto integer = [&](const char* name) { return about[name].get<long long>(); };
  const auto real = [&](const char* name) { return about[name].get<double>(); };
  const auto word = [&](const char* name) { return about[name].get<std::string>(); };
  std::string text = word("matrix") + " x = " + word("rhs") + "\n\n";
  print(text, "  order n            %lld\n", integer("n"));
  print(text, "  right-hand sides   %lld\n", integer("nrhs"));
  print(text, "  scalar             %s\n", word("scalar").c_str());
  print(text, "  read of A          the %s triangle, and %g added to the diagonal\n", word("triangle").c_str(),
        real("diag_shift"));
  print(text, "  ranks              %lld, a grid of %d x %d, %s\n", integer("ranks"), about["grid"][0].get<int>(),
        about["grid"][1].get<int>(), word("execution_space").c_str());
  print(text, "  tile               %lld\n", integer("tile_size"));
  print(text, "  products           %s\n\n",
        describe_products(about["moduli"].get<int>(), integer("integer_columns"), integer("n")).c_str());
  print(text, "  phase              seconds\n");
  print(text, "  read            %10.3f\n", real("seconds_redistribute"));
  print(text, "  factorize       %10.3f\n", real("seconds_factorize"));
  print(text, "  solve           %10.3f\n\n", real("seconds_solve"));
  if (integer("leading_minor") > 0) {
    print(text, "  no x               the leading minor of order %lld is not positive definite\n",
          integer("leading_minor"));
  } else {
    print(text, "  backward error     %.1e = |b - A x| / (|A| |x| + |b|), Frobenius norms\n", real("backward_error"));
    if (!is_usable(about)) print(text, "  not finite         %s\n", word("not_finite").c_str());
  }
  return text;
}

/// Collective. What there is to say about x; on rank 0, `image` becomes its file.
template <class T>
Json solve(MPI_Comm comm, const FileSettings& settings, const System& system, std::string& image) {
  const Kokkos::DefaultExecutionSpace exec;
  HostMatrix<T> b;
  everywhere(comm, [&] { b = read_finite<T>(system.rhs); });
  FileMatrix<T> a(system.matrix, settings.options.triangle);
  const auto [x, info] = [&] {
    try {
      return cholesky_distributed(exec, comm, a, b, settings.options);
    } catch (const NotPositiveDefinite& e) {
      throw ProgramError(ExitCode::not_positive_definite, system.matrix.name() + ": " + e.what());
    } catch (const std::bad_alloc&) {
      throw out_of_memory(system.matrix);
    }
  }();
  const Residual residual = residual_of(exec, comm, a, settings.options.triangle, info.diag_shift, x, b);
  const HostMatrix<T>& solution = x;
  const Json about = describe(comm, settings, system, info, residual,
                              what_is_not_finite(all_finite(solution), residual.backward_error));
  everywhere(comm, [&] {
    if (rank_in(comm) != 0 || !is_usable(about)) return;
    std::vector<std::int64_t> shape{system.rhs.rows()};
    if (system.rhs.dimensions() == 2) shape.push_back(system.rhs.columns());
    image = hdf5_image(settings.out.path, hdf5_type_of<T>(), shape, solution.data(), about);
  });
  return about;
}

/// Throws unless x can have this name.
void require_name_of_dataset(const DatasetName& out) {
  try {
    const float number = 0;
    hdf5_image(out.path, hdf5_type_of<float>(), {1}, &number, {});
  } catch (const std::runtime_error& e) {
    throw UsageError("--out: " + out.path + " is no name for a dataset: " + e.what());
  }
}

}  // namespace

void solve_files(MPI_Comm comm, const FileSettings& settings) {
  const bool first = rank_in(comm) == 0;
  std::optional<System> system;
  std::unique_ptr<OutputFile> out;
  std::unique_ptr<OutputFile> json;
  everywhere(comm, [&] {
    if (first) {
      require_distinct({{"--out", settings.out.file}, {"--json", settings.json}},
                       {{"--matrix", settings.matrix.file}, {"--rhs", settings.rhs.file}});
      require_name_of_dataset(settings.out);
      out = std::make_unique<OutputFile>(settings.out.file);
      if (!settings.json.empty()) json = std::make_unique<OutputFile>(settings.json);
    }
    system.emplace(settings);
    if (first) {  // a link within an HDF5 file may lead into another one
      require_distinct({{"--out", settings.out.file}, {"--json", settings.json}},
                       {{settings.matrix.text(), system->matrix.file()}, {settings.rhs.text(), system->rhs.file()}});
    }
  });
  Json about;
  std::string image;
  with_scalar(system->matrix.scalar(),
              [&](auto scalar) { about = solve<decltype(scalar)>(comm, settings, *system, image); });
  const bool usable = is_usable(about);
  if (!usable) out.reset();
  everywhere(comm, [&] {
    if (out) out->stage(image);
    if (json) json->stage(about.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  });
  everywhere(comm, [&] {
    if (json) json->commit();
    if (out) out->commit();
    if (first) say(text(about) + (usable ? "  written to         " + settings.out.text() + "\n" : ""));
  });
  if (!usable) {
    throw ProgramError(ExitCode::not_finite,
                       settings.matrix.text() + ": " + about["not_finite"].get<std::string>() + " is not finite");
  }
}

}  // namespace tessera::perf

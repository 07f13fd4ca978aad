// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/backward_error.hpp"
#include "perf/finite.hpp"
#include "perf/gaussian_process.hpp"
#include "perf/program.hpp"
#include "perf/progress_bar.hpp"
#include "perf/report.hpp"
#include "perf/timeline.hpp"

#include <tessera/tessera.hpp>

#include <chrono>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

namespace tessera::perf {

/// Seconds since the last lap, on all ranks the same.
class Stopwatch {
 public:
  explicit Stopwatch(MPI_Comm comm) : comm_(comm) { lap(); }

  double lap() {
    MPI_Barrier(comm_);
    const auto now = std::chrono::steady_clock::now();
    double seconds = std::chrono::duration<double>(now - std::exchange(last_, now)).count();
    MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX, comm_);
    return seconds;
  }

 private:
  MPI_Comm comm_;
  std::chrono::steady_clock::time_point last_;
};

inline Kernel kernel_of(const std::string& name) {
  return name == "rbf" ? Kernel::rbf : name == "matern32" ? Kernel::matern32 : Kernel::matern52;
}

/// The logarithm of the density of b under N(0, A), or, of complex scalars, under the circular complex normal
/// distribution; x = A^-1 b. Summed over the columns.
template <class View>
double log_likelihood(const View& b, const View& x, double log_determinant) {
  using T = typename View::value_type;
  const double log_two_pi = 1.837877066409345483560659;
  const double log_pi = 1.144729885849400174143427;
  double fit = 0;
  for (std::size_t c = 0; c < b.extent(1); ++c) {
    for (std::size_t i = 0; i < b.extent(0); ++i)
      fit += static_cast<double>(detail::real(detail::conj(b(i, c)) * x(i, c)));
  }
  const auto n = static_cast<double>(b.extent(0));
  const auto columns = static_cast<double>(b.extent(1));
  if constexpr (is_complex<T>) return -fit - columns * (log_determinant + n * log_pi);
  return -0.5 * (fit + columns * (log_determinant + n * log_two_pi));
}

/// Collective. Fits the Gaussian process: assembles A tile by tile, factors it, solves, and checks.
template <class T>
Report fit(MPI_Comm comm, Settings settings) {
  using Exec = Kokkos::DefaultExecutionSpace;
  using MemorySpace = Exec::memory_space;
  using Rows = Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>;
  const Exec exec;
  const std::int64_t n = settings.n;

  const ProcessGrid grid = settings.grid ? ProcessGrid(comm, *settings.grid) : ProcessGrid(comm);
  ShardedMatrix<T> matrix(grid, n, detail::tile_size_for<T, MemorySpace>(settings.tile, n, grid.shape()),
                          settings.slab);

  Covariance<T, MemorySpace> covariance{
      {}, kernel_of(settings.kernel), settings.length_scale, settings.noise + settings.shift};
  Kokkos::View<T**, Kokkos::LayoutLeft, MemorySpace> b;
  Kokkos::View<T**, Kokkos::LayoutLeft, MemorySpace> x;
  everywhere(comm, [&] {
    covariance.points = Points<MemorySpace>("tessera::fit::points", static_cast<std::size_t>(n));
    b = decltype(b)("tessera::fit::b", static_cast<std::size_t>(n), static_cast<std::size_t>(settings.nrhs));
    x = decltype(x)("tessera::fit::x", b.extent(0), b.extent(1));
  });
  Kokkos::parallel_for("tessera::fit::points", Rows(exec, 0, n),
                       ScatterPoints<MemorySpace>{covariance.points, settings.seed});
  Kokkos::parallel_for("tessera::fit::observe", Rows(exec, 0, n),
                       Observe<T, MemorySpace>{b, covariance.points, settings.noise, settings.seed});
  Kokkos::deep_copy(exec, x, b);
  exec.fence();

  Report report;
  report.execution_space = Exec::name();
  report.ranks = grid.size();
  settings.grid = grid.shape();
  settings.tile = matrix.tile_size();
  settings.slab = matrix.slab();
  report.settings = settings;
  report.least_bytes = report.most_bytes = matrix.bytes();
  MPI_Allreduce(MPI_IN_PLACE, &report.least_bytes, 1, MPI_INT64_T, MPI_MIN, comm);
  MPI_Allreduce(MPI_IN_PLACE, &report.most_bytes, 1, MPI_INT64_T, MPI_MAX, comm);

  Stopwatch watch(comm);
  matrix.fill(exec, covariance);
  exec.fence();
  report.assemble_seconds = watch.lap();

  std::optional<ProgressBar> bar;
  Progress progress;
  if (grid.rank() == 0 && stderr_is_watched()) {
    bar.emplace();
    progress = [&bar](std::int64_t done, std::int64_t all) { bar->show(done, all); };
  }
  std::optional<Timeline> timeline;
  if (!settings.timeline.empty() && grid.rank() == settings.timeline_rank) timeline.emplace();
  const FactorizeOptions options{.progress = progress, .arithmetic = settings.arithmetic, .moduli = settings.moduli};
  const CholeskyFactor<T> factor = factorize<T>(exec, std::move(matrix), options);
  report.factorize_seconds = watch.lap();
  bar.reset();

  factor.solve(exec, x);
  exec.fence();
  report.solve_seconds = watch.lap();
  if (timeline) report.timeline = timeline->events();
  timeline.reset();

  report.settings.arithmetic = factor.arithmetic();
  report.settings.moduli = factor.moduli();
  report.integer_columns = factor.integer_columns();
  report.log_determinant = factor.log_determinant();
  const auto solution = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, x);
  report.log_likelihood =
      log_likelihood(Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, b), solution, report.log_determinant);
  report.backward_error = backward_error(exec, comm, covariance, x, b);
  report.not_finite = what_is_not_finite(all_finite(solution), report.backward_error);
  return report;
}

}  // namespace tessera::perf

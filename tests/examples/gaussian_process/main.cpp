// SPDX-License-Identifier: BSD-3-Clause
// Exact Gaussian-process regression on any number of ranks, on the host or on GPUs.
//
//   kernels.hpp             covariances and their derivatives
//   gaussian_process.hpp    likelihood, gradient, predictions, samples: what Tessera is for here
//   lbfgs.hpp               the optimiser
//   data.hpp                the carbon dioxide over Mauna Loa, and synthetic data
//   check.hpp               scikit-learn's numbers, saved by scikit_learn.py
//
// and options.hpp, report.hpp, views.hpp.
//
//   mpirun -n 2 gaussian_process --co2 data/co2.csv --points 700 --json co2.json && python3 plot.py co2.json co2.png

#include "check.hpp"
#include "data.hpp"
#include "gaussian_process.hpp"
#include "lbfgs.hpp"
#include "options.hpp"
#include "report.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

namespace gp {

/// The first `count` observations.
template <class Kernel>
Data<Kernel> head(const Data<Kernel>& data, std::int64_t count) {
  return {{data.x.begin(), data.x.begin() + count}, {data.y.begin(), data.y.begin() + count}, data.offset};
}

/// The log-likelihood and its gradient; nothing where rounding makes a covariance that is not positive definite.
template <class Kernel>
std::optional<Lbfgs::Value> likelihood(const GaussianProcess<Kernel>& process, const Lbfgs::Vector& logs) {
  try {
    Fit<Kernel> fit = process.fit(parameters_of<Kernel>(logs));
    const double value = fit.log_likelihood;
    return Lbfgs::Value{value, numbers_of<Kernel>(process.gradient(std::move(fit)))};
  } catch (const tessera::NotPositiveDefinite&) {
    return std::nullopt;
  }
}

/// Learns from all observations but the last ones, and predicts these; and more places, for carbon dioxide.
template <class Kernel>
bool regress(MPI_Comm comm, const Options& o, const Data<Kernel>& all) {
  const std::int64_t n = all.n() - o.held_out;
  if (n < 1) throw CLI::ValidationError("--held-out", "leaves nothing to learn from");
  const Data<Kernel> data = head(all, n);
  const GaussianProcess<Kernel> process(comm, on_device(data.x), data.y);

  Report report(comm, o);
  const Lbfgs optimiser{.steps = o.steps, .tolerance = o.tolerance};
  const auto [logs, best] = optimiser.maximise([&](const Lbfgs::Vector& at) { return likelihood(process, at); },
                                               numbers_of<Kernel>(Kernel::start()),
                                               [&](int step, const Lbfgs::Value& value) { report.step(step, value); });
  report.parameters<Kernel>(logs, best.value);

  const Fit<Kernel> fit = process.fit(parameters_of<Kernel>(logs));
  report.left_out(process.leave_one_out(fit));
  if (o.held_out > 0) {
    const std::vector<Point<Kernel::dimensions>> places(all.x.begin() + n, all.x.end());
    const std::vector<double> observed(all.y.begin() + n, all.y.end());
    report.held_out(process.predict(fit, on_device(places)), observed);
  }
  if constexpr (Kernel::dimensions == 1) {
    if (o.points > 0) {
      std::vector<Point<1>> times(static_cast<std::size_t>(o.points), data.x.front());
      const double span = o.until - co2_epoch - data.x.front()[0];
      for (std::size_t k = 1; k < times.size(); ++k) {
        times[k][0] += span * static_cast<double>(k) / static_cast<double>(times.size() - 1);
      }
      const auto at = on_device(times);
      const Prediction prediction = process.predict(fit, at);
      const Columns normal("normal", times.size(), static_cast<std::size_t>(o.samples));
      const auto numbers = normal_numbers(o.seed + 2, static_cast<std::int64_t>(normal.size()));
      Kokkos::deep_copy(Kokkos::View<double*, Exec::memory_space>(normal.data(), normal.size()), on_device(numbers));
      report.curve(all, n, times, prediction, flat(process.samples(fit, at, prediction, normal)));
    }
  }
  return !o.bar || best.value >= *o.bar;
}

/// Seconds of the log-likelihood, and of its gradient, which is computed from the same factor: the least of three.
inline void time(MPI_Comm comm, const Options& o) {
  Report report(comm, o);
  for (const std::int64_t n : o.times) {
    const Data<ArdKernel> data = synthetic(comm, n, o.seed);
    const GaussianProcess<ArdKernel> process(comm, on_device(data.x), data.y);
    double fitted = std::numeric_limits<double>::infinity(), rest = fitted;
    for (int run = 0; run < 3; ++run) {
      MPI_Barrier(comm);
      const Stopwatch watch;
      Fit<ArdKernel> fit = process.fit(synthetic_truth());
      const double at_fit = watch.seconds();
      process.gradient(std::move(fit));
      fitted = std::min(fitted, at_fit);
      rest = std::min(rest, watch.seconds() - at_fit);
    }
    report.time(n, fitted, rest);
  }
}

inline bool run(MPI_Comm comm, const Options& o) {
  if (!o.check.empty()) return check_against_scikit_learn(comm, o.check);
  if (!o.times.empty()) {
    time(comm, o);
    return true;
  }
  return o.co2.empty() ? regress(comm, o, synthetic(comm, o.n + o.held_out, o.seed))
                       : regress(comm, o, read_co2(o.co2, o.every));
}

}  // namespace gp

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  // Kokkos would take --help and more for its own: it is given what is plainly meant for it.
  char** const own_end = std::stable_partition(
      argv + 1, argv + argc, [](const char* word) { return std::string_view(word).substr(0, 9) != "--kokkos-"; });
  std::vector<char*> for_kokkos{argv[0]};
  for_kokkos.insert(for_kokkos.end(), own_end, argv + argc);
  int kokkos_count = static_cast<int>(for_kokkos.size());
  Kokkos::initialize(kokkos_count, for_kokkos.data());

  int status = 1;
  const bool speaks = gp::rank_of(MPI_COMM_WORLD) == 0;
  CLI::App app("Exact Gaussian-process regression", "gaussian_process");
  gp::Options options;
  gp::add_options(app, options);
  try {
    app.parse(static_cast<int>(own_end - argv), argv);
    status = gp::run(MPI_COMM_WORLD, options) ? 0 : 1;
    if (status != 0 && speaks) std::printf("FAILED\n");
  } catch (const CLI::ParseError& e) {
    status = e.get_exit_code();  // 0 for --help
    if (speaks) app.exit(e);
  } catch (const tessera::NotPositiveDefinite& e) {  // on all ranks alike
    if (speaks) std::fprintf(stderr, "gaussian_process: %s\n", e.what());
  } catch (const std::exception& e) {  // perhaps on this rank alone
    std::fprintf(stderr, "gaussian_process: %s\n", e.what());
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  Kokkos::finalize();
  MPI_Finalize();
  return status;
}

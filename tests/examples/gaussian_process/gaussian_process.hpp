// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels.hpp"
#include "views.hpp"

#include <tessera/tessera.hpp>

#include <cmath>
#include <utility>
#include <vector>

namespace gp {

/// The data under a kernel: the factor of their covariance A, and A^-1 y.
template <class Kernel>
struct Fit {
  Kernel kernel;
  tessera::CholeskyFactor<double> l;
  Columns alpha;  // this rank's rows of A^-1 y
  double log_likelihood;
};

/// What is expected of observations at some places, noise included.
struct Prediction {
  std::vector<double> mean, variance;
  Columns whitened;  // L^-1 times the covariances of data and places: this rank's rows
};

/// How well each observation is predicted from all others.
struct LeaveOneOut {
  double error;        // root of the mean square
  double log_density;  // mean
};

/// Exact regression on n observations y of a process with mean 0.
template <class Kernel>
class GaussianProcess {
 public:
  using Places = Points<Kernel::dimensions>;
  using Parameters = typename Kernel::Parameters;

  GaussianProcess(MPI_Comm comm, const Places& x, const std::vector<double>& y)
      : comm_(comm), grid_(comm), x_(x), y_(rows_of(comm, y)), mine_(share_of(comm, n())) {}

  std::int64_t n() const { return static_cast<std::int64_t>(x_.extent(0)); }

  /// Throws tessera::NotPositiveDefinite where rounding makes the covariance so.
  Fit<Kernel> fit(const Parameters& logs) const {
    const Kernel kernel(logs);
    tessera::ShardedMatrix<double> a(grid_, n());
    a.fill(exec_, Covariance<Kernel>{kernel, x_});
    Fit<Kernel> fit{kernel, tessera::factorize(exec_, std::move(a)), Columns("alpha", y_.extent(0), 1), 0};
    Kokkos::deep_copy(fit.alpha, y_);
    fit.l.solve(exec_, tessera::ByRows{fit.alpha});
    const double y_a_y = column_products(comm_, y_, fit.alpha)[0];
    fit.log_likelihood = -(y_a_y + fit.l.log_determinant() + static_cast<double>(n()) * log_two_pi) / 2;
    return fit;
  }

  /// Of the log-likelihood, by the parameters: tr((alpha alpha^T - A^-1) dA) / 2 for each derivative dA of A. The
  /// inverse takes the factor's memory.
  Parameters gradient(Fit<Kernel>&& fit) const {
    auto difference = tessera::invert(exec_, std::move(fit.l));
    tessera::add_gram(exec_, tessera::Gram{fit.alpha, {.alpha = -1}}, difference);
    Parameters gradient = tessera::inner_product(exec_, difference, CovarianceDerivatives<Kernel>{fit.kernel, x_});
    for (int k = 0; k < Kernel::parameters; ++k) gradient[k] /= -2;
    return gradient;
  }

  /// At any number of places: each rank has n / ranks numbers for each of them.
  Prediction predict(const Fit<Kernel>& fit, const Places& at) const {
    const auto count = static_cast<std::int64_t>(at.extent(0));
    const Columns covariances("covariances", y_.extent(0), at.extent(0));
    Kokkos::parallel_for("gp::covariances", Range2(exec_, {0, 0}, {mine_.count, count}),
                         CrossCovariance<Kernel>{fit.kernel, x_, mine_.first, at, covariances});
    exec_.fence();
    Prediction prediction{column_products(comm_, covariances, fit.alpha), {}, covariances};
    fit.l.solve_lower(exec_, tessera::ByRows{covariances});
    prediction.variance = column_products(comm_, covariances, covariances);
    const Kernel& kernel = fit.kernel;
    const double prior = kernel(Point<Kernel::dimensions>{}, Point<Kernel::dimensions>{}) + kernel.noise();
    for (double& v : prediction.variance) v = prior - v;
    return prediction;
  }

  /// Observations that may be made at all of these places together, one set for each column of `normal`, whose numbers
  /// are independent and of the normal distribution, and the same on every rank.
  Columns samples(const Fit<Kernel>& fit, const Places& at, const Prediction& prediction, const Columns& normal) const {
    tessera::ShardedMatrix<double> posterior(grid_, static_cast<std::int64_t>(at.extent(0)));
    posterior.fill(exec_, Covariance<Kernel>{fit.kernel, at});
    const tessera::GramOptions explained{.form = tessera::GramForm::jh_j, .alpha = -1};
    tessera::add_gram(exec_, tessera::Gram{prediction.whitened, explained}, posterior);
    const auto l = tessera::factorize(exec_, std::move(posterior));
    const Columns samples("samples", normal.extent(0), normal.extent(1));
    Kokkos::deep_copy(samples, normal);
    l.multiply_lower(exec_, samples);
    add_to_columns(exec_, on_device(prediction.mean), samples);
    return samples;
  }

  /// From one factor: the observations' errors are alpha_i / d_i and their variances 1 / d_i, where d is the diagonal
  /// of A^-1.
  LeaveOneOut leave_one_out(const Fit<Kernel>& fit) const {
    const Kokkos::View<double*, Exec::memory_space> diagonal("diagonal", x_.extent(0));
    fit.l.inverse_diagonal(exec_, diagonal);
    const auto d = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), diagonal);
    const auto alpha = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), fit.alpha);
    std::vector<double> sums(2);
    for (std::int64_t i = 0; i < mine_.count; ++i) {
      const double precision = d(mine_.first + i), error = alpha(i, 0) / precision;
      sums[0] += error * error;
      sums[1] += (std::log(precision) - log_two_pi - error * error * precision) / 2;
    }
    sum_over_ranks(comm_, sums);
    const auto count = static_cast<double>(n());
    return {std::sqrt(sums[0] / count), sums[1] / count};
  }

 private:
  static constexpr double log_two_pi = 1.8378770664093454836;

  MPI_Comm comm_;
  Exec exec_;
  tessera::ProcessGrid grid_;
  Places x_;
  Columns y_;  // this rank's rows
  Share mine_;
};

/// Observations of a process under a kernel, from independent numbers of the normal distribution: y = L z.
template <class Kernel>
std::vector<double> sample_prior(MPI_Comm comm, const typename Kernel::Parameters& logs,
                                 const Points<Kernel::dimensions>& x, const std::vector<double>& z) {
  const Exec exec;
  const tessera::ProcessGrid grid(comm);
  const auto n = static_cast<std::int64_t>(x.extent(0));
  tessera::ShardedMatrix<double> a(grid, n);
  a.fill(exec, Covariance<Kernel>{Kernel(logs), x});
  const auto l = tessera::factorize(exec, std::move(a));
  const Columns y = rows_of(comm, z);
  l.multiply_lower(exec, tessera::ByRows{y});
  return gather(comm, n, y);
}

}  // namespace gp

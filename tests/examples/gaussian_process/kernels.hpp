// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "views.hpp"

#include <array>
#include <cmath>

// Kernels of Gaussian processes, whose parameters are logarithms. The last one is that of the variance of the noise,
// which is on the diagonal alone: neither a kernel's value nor its derivatives have it.
namespace gp {

/// The kernel of the carbon dioxide over Mauna Loa (Rasmussen and Williams, Gaussian Processes for Machine Learning,
/// 5.4.3), over years: a smooth trend, a season that changes slowly, irregularities of many lengths, and what is
/// correlated for weeks.
class Co2Kernel {
 public:
  static constexpr int dimensions = 1;
  enum : int {
    trend,  // a variance, as all terms have one
    trend_length,
    season,
    season_decay,
    season_shape,
    irregular,
    irregular_mixture,
    irregular_length,
    local,
    local_length,
    noise_variance,
    parameters
  };
  using Parameters = Kokkos::Array<double, parameters>;
  static constexpr std::array<const char*, parameters> names{
      "trend",     "trend length",      "season",           "season decay", "season shape",
      "irregular", "irregular mixture", "irregular length", "local",        "local length",
      "noise"};

  /// Where training begins.
  static Parameters start() {
    const Parameters values{{50 * 50, 50, 2 * 2, 100, 1, 0.5 * 0.5, 1, 1, 0.1 * 0.1, 0.1, 0.1 * 0.1}};
    Parameters logs;
    for (int k = 0; k < parameters; ++k) logs[k] = std::log(values[k]);
    return logs;
  }

  explicit Co2Kernel(const Parameters& logs) {
    for (int k = 0; k < parameters; ++k) p_[k] = std::exp(logs[k]);
  }

  KOKKOS_FUNCTION double noise() const { return p_[noise_variance]; }

  KOKKOS_FUNCTION double operator()(const Point<1>& a, const Point<1>& b) const {
    const Terms t(p_, a[0] - b[0]);
    return t.trend + t.season + t.irregular + t.local;
  }

  /// By the parameters.
  KOKKOS_FUNCTION Parameters derivatives(const Point<1>& a, const Point<1>& b) const {
    const Terms t(p_, a[0] - b[0]);
    const double alpha = p_[irregular_mixture], scaled = t.squared / square(p_[irregular_length]) / t.base;
    Parameters d;
    d[trend] = t.trend;
    d[trend_length] = t.trend * t.squared / square(p_[trend_length]);
    d[season] = t.season;
    d[season_decay] = t.season * t.squared / square(p_[season_decay]);
    d[season_shape] = t.season * 4 * t.sine_squared / square(p_[season_shape]);
    d[irregular] = t.irregular;
    d[irregular_mixture] = t.irregular * (scaled / 2 - alpha * std::log(t.base));
    d[irregular_length] = t.irregular * scaled;
    d[local] = t.local;
    d[local_length] = t.local * t.squared / square(p_[local_length]);
    d[noise_variance] = 0;
    return d;
  }

 private:
  KOKKOS_FUNCTION static double square(double x) { return x * x; }

  struct Terms {
    double squared, sine_squared, base, trend, season, irregular, local;

    KOKKOS_FUNCTION Terms(const Parameters& p, double years)
        : squared(square(years)),
          sine_squared(square(std::sin(3.14159265358979323846 * years))),
          base(1 + squared / (2 * p[irregular_mixture] * square(p[irregular_length]))),
          trend(p[Co2Kernel::trend] * std::exp(-squared / (2 * square(p[trend_length])))),
          season(p[Co2Kernel::season] *
                 std::exp(-squared / (2 * square(p[season_decay])) - 2 * sine_squared / square(p[season_shape]))),
          irregular(p[Co2Kernel::irregular] * std::pow(base, -p[irregular_mixture])),
          local(p[Co2Kernel::local] * std::exp(-squared / (2 * square(p[local_length])))) {}
  };

  Parameters p_;
};

/// v exp(-sum over d of (a_d - b_d)^2 / (2 length_d^2)): a length for each dimension.
class ArdKernel {
 public:
  static constexpr int dimensions = 4;
  static constexpr int parameters = dimensions + 2;  // the variance, lengths, and the noise's variance
  using Parameters = Kokkos::Array<double, parameters>;
  static constexpr std::array<const char*, parameters> names{"variance", "length 1", "length 2",
                                                             "length 3", "length 4", "noise"};

  static Parameters start() {
    Parameters logs{};
    logs[parameters - 1] = std::log(0.1);
    return logs;
  }

  explicit ArdKernel(const Parameters& logs) {
    for (int k = 0; k < parameters; ++k) p_[k] = std::exp(logs[k]);
  }

  KOKKOS_FUNCTION double noise() const { return p_[parameters - 1]; }

  KOKKOS_FUNCTION double operator()(const Point<dimensions>& a, const Point<dimensions>& b) const {
    double sum = 0;
    for (int k = 0; k < dimensions; ++k) sum += scaled(a, b, k);
    return p_[0] * std::exp(-sum / 2);
  }

  /// By the parameters.
  KOKKOS_FUNCTION Parameters derivatives(const Point<dimensions>& a, const Point<dimensions>& b) const {
    Parameters d;
    d[0] = (*this)(a, b);
    for (int k = 0; k < dimensions; ++k) d[k + 1] = d[0] * scaled(a, b, k);
    d[parameters - 1] = 0;
    return d;
  }

 private:
  KOKKOS_FUNCTION double scaled(const Point<dimensions>& a, const Point<dimensions>& b, int k) const {
    const double distance = (a[k] - b[k]) / p_[k + 1];
    return distance * distance;
  }

  Parameters p_;
};

/// The matrix of the covariances of what is observed at some places.
template <class Kernel>
struct Covariance {
  Kernel kernel;
  Points<Kernel::dimensions> x;

  KOKKOS_FUNCTION double operator()(std::int64_t i, std::int64_t j) const {
    return kernel(x(i), x(j)) + (i == j ? kernel.noise() : 0.);
  }
};

/// Its derivatives by all parameters.
template <class Kernel>
struct CovarianceDerivatives {
  Kernel kernel;
  Points<Kernel::dimensions> x;

  KOKKOS_FUNCTION typename Kernel::Parameters operator()(std::int64_t i, std::int64_t j) const {
    typename Kernel::Parameters d = kernel.derivatives(x(i), x(j));
    if (i == j) d[Kernel::parameters - 1] = kernel.noise();
    return d;
  }
};

/// The covariances of this rank's data, from `first` on, with what is observed at other places.
template <class Kernel>
struct CrossCovariance {
  Kernel kernel;
  Points<Kernel::dimensions> x;
  std::int64_t first;
  Points<Kernel::dimensions> at;
  Columns to;

  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t j) const { to(i, j) = kernel(x(first + i), at(j)); }
};

}  // namespace gp

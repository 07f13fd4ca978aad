// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <ostream>
#include <type_traits>
#include <vector>

// Positive definite matrices on which the accuracy of a factorisation shows, and the error of a factor, element by
// element.
namespace tessera::testing {

enum class Hard {
  wishart,
  graded,
  hilbert,
  matern,
  positive_features,
  correlated_rows,
  tridiagonal,
  low_rank,
  gaussian,
  spectrum,
  graded_matern
};
/// On every layout.
inline constexpr Hard all_hard[] = {Hard::wishart,           Hard::graded,          Hard::hilbert,    Hard::matern,
                                    Hard::positive_features, Hard::correlated_rows, Hard::tridiagonal};
/// Those by which the number of moduli is chosen.
inline constexpr Hard hard_for_moduli[] = {Hard::wishart, Hard::positive_features, Hard::low_rank,
                                           Hard::matern,  Hard::gaussian,          Hard::spectrum,
                                           Hard::hilbert, Hard::graded_matern,     Hard::tridiagonal};
inline std::ostream& operator<<(std::ostream& out, Hard hard) {
  static constexpr const char* names[] = {"Wishart",           "graded",          "Hilbert",          "Matern 5/2",
                                          "positive features", "correlated rows", "tridiagonal",      "low rank",
                                          "Gaussian",          "wide spectrum",   "graded Matern 5/2"};
  return out << names[static_cast<int>(hard)];
}

/// A(i, j) from memory that the device can read, for fill and for operators.
template <class T>
struct Stored {
  Kokkos::View<T**, Kokkos::LayoutRight> a;
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const { return a(i, j); }
};

/// All of A, on the host and for a device.
template <class T>
class HardMatrix {
 public:
  static constexpr bool single = std::is_same_v<Real<T>, float>;

  HardMatrix(Hard hard, std::int64_t size)
      : n(size), host_("host", static_cast<std::size_t>(n), static_cast<std::size_t>(n)) {
    set(hard);
  }

  const std::int64_t n;

  /// On the host.
  T operator()(std::int64_t i, std::int64_t j) const { return host_(i, j); }

  Stored<T> stored() const {
    const Stored<T> there{Kokkos::View<T**, Kokkos::LayoutRight>("stored", host_.extent(0), host_.extent(1))};
    Kokkos::deep_copy(there.a, host_);
    return there;
  }

 private:
  using Double = std::complex<double>;

  static Double random(std::int64_t i, std::int64_t k) {
    return {noise(i, k, 31), is_complex<T> ? noise(i, k, 32) : 0};
  }
  /// Sorted but for a little noise, in [0, 1].
  double point(std::int64_t i) const {
    return (static_cast<double>(i) + 0.5 * noise(i, 3, 8)) / static_cast<double>(n);
  }

  double matern(std::int64_t i, std::int64_t j) const {
    const double r = std::sqrt(5.) * std::abs(point(i) - point(j)) / 0.5;
    return (1 + r + r * r / 3) * std::exp(-r) + (i == j ? (single ? 1e-4 : 1e-12) : 0);
  }
  /// Of the rows of what is graded.
  static double scale(std::int64_t i) { return std::pow(10., (single ? 17 : 150) * noise(i, 0, 33)); }

  void set(Hard hard) {
    switch (hard) {
      case Hard::wishart:
        return set_product([](std::int64_t i, std::int64_t k) { return random(i, k); });
      case Hard::graded:
        return set_product([](std::int64_t i, std::int64_t k) { return random(i, k); }, 0, true);
      case Hard::hilbert:
        return set_real([](std::int64_t i, std::int64_t j) {
          return 1 / static_cast<double>(i + j + 1) + (i == j ? (single ? 1e-4 : 1e-13) : 0);
        });
      case Hard::matern:
        return set_real([this](std::int64_t i, std::int64_t j) { return matern(i, j); });
      case Hard::positive_features:
        return set_product([](std::int64_t i, std::int64_t k) { return Double(std::abs(noise(i, k, 12)), 0); },
                           single ? 1e-4 : 1e-8);
      case Hard::correlated_rows:
        return set_product(
            [](std::int64_t i, std::int64_t k) { return random(-1, k) + (single ? 2e-2 : 1e-4) * random(i, k); },
            single ? 2e-4 : 1e-12);
      case Hard::tridiagonal:
        return set_real([](std::int64_t i, std::int64_t j) { return i == j ? 2. : i - j == 1 ? -1. : 0.; });
      case Hard::low_rank:
        return set_product([this](std::int64_t i, std::int64_t k) { return k < n / 8 ? random(i, k) : 0; },
                           single ? 1e-4 : 1e-10);
      case Hard::gaussian:
        return set_real([this](std::int64_t i, std::int64_t j) {
          const double r = (point(i) - point(j)) / 0.1;
          return std::exp(-r * r / 2) + (i == j ? (single ? 1e-4 : 1e-10) : 0);
        });
      case Hard::spectrum:  // the eigenvalues, in any order, of eigenvectors that are a cosine transform's
        return set_product([this](std::int64_t i, std::int64_t k) -> Double {
          const double angle = M_PI * (static_cast<double>(i) + 0.5) * (static_cast<double>(k) + 0.5);
          const double eigenvalue = std::pow(10., (single ? 2 : 6) * (noise(k, 1, 34) - 1));
          return k < n ? std::sqrt(2 * eigenvalue) * std::cos(angle / static_cast<double>(n)) : 0;
        });
      case Hard::graded_matern:
        return set_real([this](std::int64_t i, std::int64_t j) { return scale(i) * scale(j) * matern(i, j); });
    }
  }

  void set(std::int64_t i, std::int64_t j, const Double& value) {
    host_(i, j) = scalar<T>(value.real(), value.imag());
    host_(j, i) = scalar<T>(value.real(), -value.imag());
  }

  /// D A D^H with units on D's diagonal: as well, or ill, conditioned, and complex.
  template <class F>
  void set_real(const F& f) {
    constexpr Double units[] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j <= i; ++j) set(i, j, f(i, j) * (is_complex<T> ? units[(i - j) % 4] : 1.));
    }
  }

  /// X X^H / m + shift I for X(i, k) = x(i, k) with m > n columns.
  template <class X>
  void set_product(const X& x, double shift = 0, bool graded = false) {
    const std::int64_t m = n + 20;
    std::vector<Double> rows;
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t k = 0; k < m; ++k) rows.push_back(x(i, k));
    }
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j <= i; ++j) {
        double re = 0;
        double im = 0;
        for (std::int64_t k = 0; k < m; ++k) {
          const Double& a = rows[static_cast<std::size_t>(i * m + k)];
          const Double& b = rows[static_cast<std::size_t>(j * m + k)];
          re += a.real() * b.real() + a.imag() * b.imag();
          im += a.imag() * b.real() - a.real() * b.imag();
        }
        const double factor = (graded ? scale(i) * scale(j) : 1) / static_cast<double>(m);
        set(i, j, Double(re, i == j ? 0 : im) * factor + (i == j ? shift : 0));
      }
    }
  }

  Kokkos::View<T**, Kokkos::LayoutRight, Kokkos::HostSpace> host_;
};

/// The largest |A - L L^H|(i, j) / sqrt(A(i, i) A(j, j)), computed in long double, in units of u = epsilon / 2.
/// Collective; every rank has some rows to look at.
template <class T, class F>
double factor_error(MPI_Comm comm, const ShardedMatrix<T>& l, const F& a) {
  const std::int64_t n = l.n();
  constexpr int parts = is_complex<T> ? 2 : 1;
  std::vector<Real<T>> numbers(static_cast<std::size_t>(n * n * parts));
  const HostTiles tiles(l);
  for (GlobalTile j{0}; j < l.columns().tiles_end(); ++j) {
    for (GlobalTile i = j; i < l.rows().tiles_end(); ++i) {
      if (!l.has_tile(i, j)) continue;
      const auto tile = tiles(i, j);
      for (std::size_t r = 0; r < tile.extent(0); ++r) {
        for (std::size_t c = 0; c < (i == j ? r + 1 : tile.extent(1)); ++c) {
          const std::int64_t row = l.rows().begin(i).value + static_cast<std::int64_t>(r);
          const std::int64_t column = l.columns().begin(j).value + static_cast<std::int64_t>(c);
          Real<T>* const at = &numbers[static_cast<std::size_t>((row * n + column) * parts)];
          at[0] = detail::real(tile(r, c));
          if constexpr (is_complex<T>) at[1] = tile(r, c).imag();
        }
      }
    }
  }
  // Each number is on one rank.
  MPI_Allreduce(MPI_IN_PLACE, numbers.data(), static_cast<int>(numbers.size()),
                std::is_same_v<Real<T>, float> ? MPI_FLOAT : MPI_DOUBLE, MPI_SUM, comm);
  const std::vector<long double> wide_numbers(numbers.begin(), numbers.end());
  const auto row = [&](std::int64_t i) { return wide_numbers.data() + i * n * parts; };
  const auto diagonal = [&](std::int64_t i) { return static_cast<long double>(detail::real(a(i, i))); };
  long double worst = 0;
  for (std::int64_t i = rank_in(comm); i < n; i += size_of(comm)) {
    for (std::int64_t j = 0; j <= i; ++j) {
      long double re = wide(a(i, j)).real();
      long double im = i == j ? 0 : wide(a(i, j)).imag();
      const long double* x = row(i);
      const long double* y = row(j);
      for (std::int64_t k = 0; k <= j; ++k, x += parts, y += parts) {
        re -= x[0] * y[0];
        if constexpr (is_complex<T>) {
          re -= x[1] * y[1];
          im -= x[1] * y[0] - x[0] * y[1];
        }
      }
      const long double error = std::sqrt(re * re + im * im) / std::sqrt(diagonal(i) * diagonal(j));
      if (!(error <= worst)) worst = std::isnan(error) ? INFINITY : error;
    }
  }
  double error = static_cast<double>(worst / static_cast<long double>(epsilon<T>() / 2));
  MPI_Allreduce(MPI_IN_PLACE, &error, 1, MPI_DOUBLE, MPI_MAX, comm);
  return error;
}

}  // namespace tessera::testing

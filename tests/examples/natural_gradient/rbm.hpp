// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kokkos.hpp"
#include "random.hpp"

#include <cmath>
#include <tuple>

namespace ng {

KOKKOS_INLINE_FUNCTION double log_cosh(double x) {
  const double y = std::abs(x);
  return y + std::log1p(std::exp(-2 * y)) - 0.69314718055994531;
}
KOKKOS_INLINE_FUNCTION Complex log_cosh(Complex x) {
  const Complex y = x.real() < 0 ? -x : x;  // so that the exponential is small
  return y + Kokkos::log(Complex(1) + Kokkos::exp(-2. * y)) - 0.69314718055994531;
}
KOKKOS_INLINE_FUNCTION double tanh_of(double x) { return std::tanh(x); }
KOKKOS_INLINE_FUNCTION Complex tanh_of(Complex x) {
  const Complex y = x.real() < 0 ? -x : x, small = Kokkos::exp(-2. * y), t = (1. - small) / (1. + small);
  return x.real() < 0 ? -t : t;
}

/// A restricted Boltzmann machine, T = double or Complex (then log psi is holomorphic in the parameters):
///
///     log psi(s) = sum_j log cosh theta_j + sum_i a_i s_i,   theta_j = c_j + sum_i s_i W_ij,   s_i = +-1
///
/// A configuration is a row of a Matrix, or anything else with s[i]; theta, where it is kept, belongs to a row.
template <class T>
struct Rbm {
  /// As Tessera takes a right-hand side, and returns an update: c, W, a. In this order, W row-major, its numbers are
  /// the columns of the Jacobian.
  using Parameters = std::tuple<Vector<T>, Matrix<T>, Vector<T>>;

  Vector<T> c;
  Matrix<T> w;  // sites x hidden
  Vector<T> a;

  Rbm(int sites, int hidden) : c("c", hidden), w("W", sites, hidden), a("a", sites) {}

  KOKKOS_FUNCTION int sites() const { return static_cast<int>(w.extent(0)); }
  KOKKOS_FUNCTION int hidden() const { return static_cast<int>(w.extent(1)); }
  KOKKOS_FUNCTION int size() const { return hidden() + sites() * hidden() + sites(); }
  Parameters parameters() const { return {c, w, a}; }

  template <class Spins>
  KOKKOS_FUNCTION T theta(const Spins& s, int j) const {
    T sum = c(j);
    for (int i = 0; i < sites(); ++i) sum += s[i] * w(i, j);
    return sum;
  }

  template <class Spins>
  KOKKOS_FUNCTION T log_psi(const Spins& s) const {
    T sum = 0;
    for (int j = 0; j < hidden(); ++j) sum += log_cosh(theta(s, j));
    for (int i = 0; i < sites(); ++i) sum += s[i] * a(i);
    return sum;
  }

  /// log psi(s with site i flipped) - log psi(s), for the thetas of s.
  KOKKOS_FUNCTION T log_ratio(const double* s, const T* thetas, int i) const {
    T sum = -2 * s[i] * a(i);
    for (int j = 0; j < hidden(); ++j) sum += log_cosh(thetas[j] - 2 * s[i] * w(i, j)) - log_cosh(thetas[j]);
    return sum;
  }

  KOKKOS_FUNCTION void flip(double* s, T* thetas, int i) const {
    s[i] = -s[i];
    for (int j = 0; j < hidden(); ++j) thetas[j] += 2 * s[i] * w(i, j);
  }
};

/// One row of numbers as c, W, a: of `like` only the shape counts.
template <class T>
typename Rbm<T>::Parameters shaped(const Vector<T>& flat, const Rbm<T>& like) {
  const Rbm<T> result(like.sites(), like.hidden());
  const std::int64_t hidden = like.hidden(), sites = like.sites();
  Kokkos::parallel_for(
      "shaped", Range(0, like.size()), KOKKOS_LAMBDA(std::int64_t k) {
        const std::int64_t in_w = k - hidden;
        if (in_w < 0) {
          result.c(k) = flat(k);
        } else if (in_w < sites * hidden) {
          result.w(in_w / hidden, in_w % hidden) = flat(k);
        } else {
          result.a(in_w - sites * hidden) = flat(k);
        }
      });
  return result.parameters();
}

/// c, W, a as one row of numbers.
template <class T>
Vector<T> flat(const typename Rbm<T>::Parameters& parameters) {
  const auto& [c_, w_, a_] = parameters;
  const auto c = c_, a = a_;  // a kernel cannot capture a structured binding
  const auto w = w_;
  const auto hidden = static_cast<std::int64_t>(w.extent(1)), in_w = static_cast<std::int64_t>(w.size());
  const Vector<T> result("flat", c.size() + w.size() + a.size());
  Kokkos::parallel_for(
      "flat", Range(0, static_cast<std::int64_t>(result.size())), KOKKOS_LAMBDA(std::int64_t k) {
        const std::int64_t m = k - hidden;
        result(k) = m < 0 ? c(k) : m < in_w ? w(m / hidden, m % hidden) : a(m - in_w);
      });
  return result;
}

/// All parameters from N(0, deviation^2); of complex ones that is E|z|^2.
template <class T>
Rbm<T> random_rbm(int sites, int hidden, std::uint64_t seed, double deviation) {
  const Rbm<T> shape(sites, hidden);
  Random random(seed, ~std::uint64_t(0));  // no chain has this number
  std::vector<T> values(static_cast<std::size_t>(shape.size()));
  for (T& value : values) {
    const double x = deviation * random.normal();
    if constexpr (is_complex<T>) {
      value = T(x, deviation * random.normal()) * std::sqrt(0.5);
    } else {
      value = x;
    }
  }
  Rbm<T> rbm = shape;
  std::tie(rbm.c, rbm.w, rbm.a) = shaped(on_device(values), shape);
  return rbm;
}

/// The thetas of each row of `spins`.
template <class T>
Matrix<T> thetas(const Rbm<T>& rbm, const Matrix<double>& spins) {
  const Matrix<T> result("thetas", spins.extent(0), rbm.hidden());
  Kokkos::parallel_for(
      "thetas", Range2({0, 0}, {std::int64_t(spins.extent(0)), std::int64_t(rbm.hidden())}),
      KOKKOS_LAMBDA(std::int64_t s, std::int64_t j) { result(s, j) = rbm.theta(&spins(s, 0), static_cast<int>(j)); });
  return result;
}

/// O_sk = d log psi(s) / d parameter k: a rank's own samples x all parameters.
template <class T>
Matrix<T> jacobian(const Rbm<T>& rbm, const Matrix<double>& spins) {
  const Matrix<T> theta = thetas(rbm, spins);
  const Matrix<T> o("jacobian", spins.extent(0), rbm.size());
  const std::int64_t hidden = rbm.hidden(), sites = rbm.sites(), samples = static_cast<std::int64_t>(spins.extent(0));
  Kokkos::parallel_for(
      "jacobian::hidden", Range2({0, 0}, {samples, hidden}), KOKKOS_LAMBDA(std::int64_t s, std::int64_t j) {
        const T t = tanh_of(theta(s, j));
        o(s, j) = t;
        for (std::int64_t i = 0; i < sites; ++i) o(s, hidden + i * hidden + j) = spins(s, i) * t;
      });
  Kokkos::parallel_for(
      "jacobian::visible", Range2({0, 0}, {samples, sites}),
      KOKKOS_LAMBDA(std::int64_t s, std::int64_t i) { o(s, hidden + sites * hidden + i) = spins(s, i); });
  return o;
}

template <class View, class T = typename View::non_const_value_type>
void subtract(double rate, const View& update, const View& parameters) {
  T* const to = parameters.data();
  const T* const from = update.data();
  Kokkos::parallel_for(
      "subtract", Range(0, static_cast<std::int64_t>(parameters.size())),
      KOKKOS_LAMBDA(std::int64_t k) { to[k] -= rate * from[k]; });
}

/// parameters <- parameters - rate * update
template <class T>
void descend(const Rbm<T>& rbm, double rate, const typename Rbm<T>::Parameters& update) {
  subtract(rate, std::get<0>(update), rbm.c);
  subtract(rate, std::get<1>(update), rbm.w);
  subtract(rate, std::get<2>(update), rbm.a);
}

}  // namespace ng

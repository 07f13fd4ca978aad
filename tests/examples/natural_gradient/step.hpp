// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "rbm.hpp"

#include <tessera/tessera.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

// One step of the natural gradient. With n samples in all, O the Jacobian with each column's mean subtracted, over
// sqrt(n), and e_s = 2 (E_loc(s) - mean) / sqrt(n), it is one of
//
//     NTK    (O O^H + shift I) x = e,      update = O^H x      samples x samples
//     QGT    (O^H O + shift I) update = O^H e                  parameters x parameters
//
// which are the same update. The shift is the solver's; the mean and 1/n are the Gram matrix's. So nothing here stores
// more than the Jacobian's own rows, uncentred.
namespace ng {

/// What VMC needs of a linear solver: A and b, x and what happened. A tessera::CholeskyDistributed is one, whatever the
/// structure of b.
template <class T, class B>
using LinearSolver = std::function<tessera::Solution<B>(tessera::Gram<Matrix<T>>, const B&)>;
/// One that may start from a guess.
template <class T, class B>
using GuessingSolver = std::function<tessera::Solution<B>(tessera::Gram<Matrix<T>>, const B&, const B&)>;

struct Statistics {
  double mean = 0, error = 0, variance = 0;
};

template <class T>
T mean(const std::vector<T>& values) {
  T sum = 0;
  for (const T& value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

/// Of the local energies, chain after chain. The error is that of the chains' means, which knows of autocorrelation.
template <class T>
Statistics statistics(const std::vector<T>& energies, std::int64_t chains) {
  const T middle = mean(energies);
  const std::size_t per_chain = energies.size() / static_cast<std::size_t>(chains);
  double variance = 0, of_means = 0;
  for (std::size_t first = 0; first < energies.size(); first += per_chain) {
    T sum = 0;
    for (std::size_t s = first; s < first + per_chain; ++s) {
      sum += energies[s] - middle;
      variance += norm(energies[s] - middle);
    }
    of_means += norm(sum / static_cast<double>(per_chain));
  }
  const auto count = static_cast<double>(chains);
  return {re(middle), std::sqrt(of_means / (count * (count - 1))), variance / static_cast<double>(energies.size())};
}

/// e, of the local energies of all samples.
template <class T>
Vector<T> residual(const std::vector<T>& energies) {
  const T middle = mean(energies);
  const double factor = 2 / std::sqrt(static_cast<double>(energies.size()));
  std::vector<T> e;
  for (const T& energy : energies) e.push_back(factor * (energy - middle));
  return on_device(e);
}

/// factor O^H v, of the rows of all ranks: row 0 here is sample `first`.
template <class T>
Vector<T> adjoint_times(MPI_Comm comm, const Matrix<T>& o, std::int64_t first, const Vector<T>& v, double factor) {
  const Vector<T> product("adjoint_times", o.extent(1));
  const auto samples = static_cast<std::int64_t>(o.extent(0));
  Kokkos::parallel_for(
      "adjoint_times", Range(0, static_cast<std::int64_t>(o.extent(1))), KOKKOS_LAMBDA(std::int64_t k) {
        T sum = 0;
        for (std::int64_t s = 0; s < samples; ++s) sum += conj(o(s, k)) * v(first + s);
        product(k) = factor * sum;
      });
  sum_over_ranks(comm, product);
  return product;
}

/// v minus its mean.
template <class T>
Vector<T> centred(const Vector<T>& v) {
  const auto host = on_host(v);
  std::vector<T> values(host.data(), host.data() + host.size());
  const T middle = mean(values);
  for (T& value : values) value -= middle;
  return on_device(values);
}

/// Of a Jacobian, or of this rank's rows of it: of all samples `count`, the first one here is `first`.
template <class T>
struct Rows {
  MPI_Comm comm;
  Matrix<T> o;
  std::int64_t first, count;

  /// O O^H or O^H O, of the scaled and centred O.
  tessera::Gram<Matrix<T>> gram(tessera::GramForm form) const {
    return {o, {.form = form, .alpha = 1. / static_cast<double>(count), .subtract_column_means = true}};
  }
  /// O^H v, of the scaled and centred O: to centre it is to centre v.
  Vector<T> adjoint_times(const Vector<T>& v) const {
    return ng::adjoint_times(comm, o, first, centred(v), 1 / std::sqrt(static_cast<double>(count)));
  }
};

template <class T>
using Update = tessera::Solution<typename Rbm<T>::Parameters>;

template <class T>
Update<T> ntk_update(const LinearSolver<T, Vector<T>>& solve, const Rbm<T>& rbm, const Rows<T>& rows,
                     const Vector<T>& e) {
  auto [x, info] = solve(rows.gram(tessera::GramForm::j_jh), e);
  return {shaped(rows.adjoint_times(x), rbm), info};
}

/// b is the gradient as the parameters are, c, W and a, and so is the update that comes back.
template <class T>
Update<T> qgt_update(const GuessingSolver<T, typename Rbm<T>::Parameters>& solve, const Rbm<T>& rbm,
                     const Rows<T>& rows, const Vector<T>& e, const typename Rbm<T>::Parameters& previous) {
  const typename Rbm<T>::Parameters gradient = shaped(rows.adjoint_times(e), rbm);
  return solve(rows.gram(tessera::GramForm::jh_j), gradient, previous);
}

/// The larger one, or a NaN.
inline double worse(double most, double value) { return value <= most ? most : value; }

/// max |x - y| / max |x|, or infinity if there is a NaN.
template <class T>
double difference(const Vector<T>& x_device, const Vector<T>& y_device) {
  const auto x = on_host(x_device), y = on_host(y_device);
  double most = 0, scale = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    most = worse(most, std::sqrt(norm(x(k) - y(k))));
    scale = std::max(scale, std::sqrt(norm(x(k))));
  }
  return most <= scale ? most / scale : std::numeric_limits<double>::infinity();
}

}  // namespace ng

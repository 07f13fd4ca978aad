// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "rbm.hpp"

#include <cmath>

namespace ng {

/// The transverse-field Ising chain, periodic: H = coupling sum_i sz_i sz_i+1 - field sum_i sx_i, of Pauli matrices.
struct Ising {
  int sites;
  double coupling;
  double field;

  template <class Spins>
  KOKKOS_FUNCTION double diagonal(const Spins& s) const {
    double sum = 0;
    for (int i = 0; i < sites; ++i) sum += s[i] * s[i + 1 < sites ? i + 1 : 0];
    return coupling * sum;
  }

  /// Of an even number of sites: free fermions (Pfeuty 1970), in the sector with antiperiodic momenta.
  double ground_energy() const {
    const double pi = std::acos(-1.);
    double sum = 0;
    for (int m = 0; m < sites; ++m)
      sum += std::sqrt(
          std::abs(coupling * coupling + field * field + 2 * coupling * field * std::cos((2 * m + 1) * pi / sites)));
    return -sum;
  }
};

/// E_loc(s) = sum_s' H_ss' psi(s') / psi(s) of each row of `spins`.
template <class T>
Vector<T> local_energies(const Ising& ising, const Rbm<T>& rbm, const Matrix<double>& spins) {
  const Matrix<T> theta = thetas(rbm, spins);
  const Vector<T> energies("local_energies", spins.extent(0));
  Kokkos::parallel_for(
      "local_energies", Range(0, static_cast<std::int64_t>(spins.extent(0))), KOKKOS_LAMBDA(std::int64_t row) {
        const double* s = &spins(row, 0);
        T sum = 0;
        for (int i = 0; i < ising.sites; ++i) sum += exp(rbm.log_ratio(s, &theta(row, 0), i));
        energies(row) = ising.diagonal(s) - ising.field * sum;
      });
  return energies;
}

}  // namespace ng

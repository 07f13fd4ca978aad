// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "ising.hpp"

#include <cstdint>
#include <limits>

namespace ng {

/// A configuration as the bits of a number.
struct Bits {
  std::int64_t bits;
  KOKKOS_FUNCTION double operator[](int i) const { return (bits >> i & 1) != 0 ? 1 : -1; }
};

/// <psi|H|psi> / <psi|psi>, summed over all 2^sites states: no sampling noise. For a chain of, say, 24 sites at most:
/// each rank works out its share of the amplitudes, and has room for all of them.
template <class T>
double exact_energy(MPI_Comm comm, const Ising& ising, const Rbm<T>& rbm) {
  const std::int64_t states = std::int64_t(1) << ising.sites;
  const Share mine = share_of(comm, states);
  const Vector<T> part("log_psi", mine.count);
  Kokkos::parallel_for(
      "exact::log_psi", Range(0, mine.count),
      KOKKOS_LAMBDA(std::int64_t k) { part(k) = rbm.log_psi(Bits{mine.first + k}); });
  const Vector<T> log_psi = on_device(gather(comm, part));

  double largest = 0;
  Kokkos::parallel_reduce(
      "exact::largest", Range(0, states),
      KOKKOS_LAMBDA(std::int64_t s, double& most) { most = re(log_psi(s)) > most ? re(log_psi(s)) : most; },
      Kokkos::Max<double>(largest));
  double psi_psi = 0, psi_h_psi = 0;
  Kokkos::parallel_reduce(
      "exact::norm", Range(mine.first, mine.first + mine.count),
      KOKKOS_LAMBDA(std::int64_t s, double& sum) { sum += std::exp(2 * (re(log_psi(s)) - largest)); }, psi_psi);
  Kokkos::parallel_reduce(
      "exact::energy", Range(mine.first, mine.first + mine.count),
      KOKKOS_LAMBDA(std::int64_t s, double& sum) {
        T local = ising.diagonal(Bits{s});
        for (int i = 0; i < ising.sites; ++i)
          local -= ising.field * exp(log_psi(s ^ (std::int64_t(1) << i)) - log_psi(s));
        sum += re(local) * std::exp(2 * (re(log_psi(s)) - largest));
      },
      psi_h_psi);
  return sum_over_ranks(comm, psi_h_psi) / sum_over_ranks(comm, psi_psi);
}

}  // namespace ng

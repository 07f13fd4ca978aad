// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "rbm.hpp"

#include <cstdint>

namespace ng {

/// Samples of |psi|^2, chain after chain.
struct Samples {
  Matrix<double> spins;   // this rank's samples x sites
  double acceptance = 0;  // of all ranks' proposals
};

/// What each chain does: each in a thread of its own.
template <class T>
struct RunChain {
  Rbm<T> rbm;
  Matrix<double> state;    // chains x sites
  Matrix<T> thetas;        // chains x hidden
  Matrix<double> samples;  // chains * per_chain x sites
  std::int64_t first_chain, discarded, per_chain;
  std::uint64_t seed, drawn;

  KOKKOS_FUNCTION void operator()(std::int64_t chain, std::int64_t& accepted) const {
    const int sites = rbm.sites();
    double* s = &state(chain, 0);
    T* theta = &thetas(chain, 0);
    for (int j = 0; j < rbm.hidden(); ++j) theta[j] = rbm.theta(s, j);  // anew: the parameters have changed
    Random random(seed, static_cast<std::uint64_t>(first_chain + chain), drawn);
    for (std::int64_t sweep = -discarded; sweep < per_chain; ++sweep) {
      for (int proposal = 0; proposal < sites; ++proposal) {
        const int i = random.below(sites);
        if (random.uniform() < std::exp(2 * re(rbm.log_ratio(s, theta, i)))) {
          rbm.flip(s, theta, i);
          ++accepted;
        }
      }
      if (sweep < 0) continue;
      for (int i = 0; i < sites; ++i) samples(chain * per_chain + sweep, i) = s[i];
    }
  }
};

/// NetKet's MetropolisLocal: a proposal flips one spin, `sites` proposals lie between samples, and the chains go on
/// from call to call. They are dealt to the ranks, and what chain c does depends on the seed, c and the wave function
/// only.
class Sampler {
 public:
  Sampler(MPI_Comm comm, int sites, std::int64_t chains, std::uint64_t seed)
      : comm_(comm), chains_(chains), mine_(share_of(comm, chains)), seed_(seed), state_("chains", mine_.count, sites) {
    const auto host = Kokkos::create_mirror_view(state_);
    for (std::int64_t chain = 0; chain < mine_.count; ++chain) {
      Random random(seed, static_cast<std::uint64_t>(mine_.first + chain));
      for (int i = 0; i < sites; ++i) host(chain, i) = random.uniform() < 0.5 ? -1 : 1;
    }
    drawn_ = static_cast<std::uint64_t>(sites);
    Kokkos::deep_copy(state_, host);
  }

  template <class T>
  Samples sample(const Rbm<T>& rbm, std::int64_t discarded, std::int64_t per_chain) {
    const auto proposals = rbm.sites() * (discarded + per_chain);
    Samples result{Matrix<double>("samples", mine_.count * per_chain, rbm.sites())};
    const Matrix<T> thetas("thetas", mine_.count, rbm.hidden());
    std::int64_t accepted = 0;
    Kokkos::parallel_reduce(
        "run_chains", Range(0, mine_.count),
        RunChain<T>{rbm, state_, thetas, result.spins, mine_.first, discarded, per_chain, seed_, drawn_}, accepted);
    drawn_ += 2 * static_cast<std::uint64_t>(proposals);
    result.acceptance = sum_over_ranks(comm_, static_cast<double>(accepted)) / static_cast<double>(chains_ * proposals);
    return result;
  }

 private:
  MPI_Comm comm_;
  std::int64_t chains_;
  Share mine_;
  std::uint64_t seed_, drawn_ = 0;
  Matrix<double> state_;
};

}  // namespace ng

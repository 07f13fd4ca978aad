// SPDX-License-Identifier: BSD-3-Clause
// Variational Monte Carlo of the transverse-field Ising chain by natural gradients, as NetKet's VMC_SR does it, on any
// number of ranks, on the host or on GPUs.
//
//   rbm.hpp        the wave function, log psi and its derivatives
//   ising.hpp      local energies
//   sampler.hpp    Metropolis chains
//   exact.hpp      the energy without sampling noise
//   step.hpp       the natural gradient: what Tessera is for here
//   embedded.hpp   complex systems as NetKet solves them
//   check.hpp      a step of NetKet's, saved by netket_step.py
//
// and options.hpp, report.hpp, kokkos.hpp, random.hpp.
//
//   mpirun -n 2 natural_gradient --exact-at 50,100,200,300 --json run.json && python3 plot.py run.json energy.png

#include "check.hpp"
#include "embedded.hpp"
#include "exact.hpp"
#include "ising.hpp"
#include "options.hpp"
#include "report.hpp"
#include "sampler.hpp"
#include "step.hpp"

#include <algorithm>
#include <functional>
#include <string_view>

namespace ng {

/// The solvers of both forms: std::functions, for a loop that does not know what is behind them.
template <class T>
struct Solvers {
  LinearSolver<T, Vector<T>> ntk;
  GuessingSolver<T, typename Rbm<T>::Parameters> qgt;
};

/// Fails if the updates of all forms are not the same.
template <class T>
bool same_in_all_forms(const std::vector<Solvers<T>>& solvers, const Rbm<T>& rbm, const Rows<T>& rows,
                       const Vector<T>& e, const Update<T>& update) {
  double most = 0;
  for (const Solvers<T>& s : solvers) {
    most = std::max(most, difference(flat<T>(update.x), flat<T>(ntk_update(s.ntk, rbm, rows, e).x)));
    most = std::max(most, difference(flat<T>(update.x), flat<T>(qgt_update(s.qgt, rbm, rows, e, update.x).x)));
  }
  if (most > 1e-9 && rank_of(rows.comm) == 0) std::printf("the forms' updates differ by %.1e\n", most);
  return most <= 1e-9;
}

template <class T>
bool train(MPI_Comm comm, const Options& o) {
  const Ising ising{o.sites, o.coupling, o.field};
  Rbm<T> rbm = random_rbm<T>(o.sites, o.hidden(), o.seed, 0.01);
  Sampler sampler(comm, o.sites, o.chains, o.seed + 100);
  const std::int64_t first = share_of(comm, o.chains).first * o.per_chain;  // of this rank's samples

  const tessera::CholeskyDistributed solver{
      .comm = comm, .options = {.diag_shift = o.shift, .shifts = {.tries = o.tries, .first = o.first_shift}}};
  std::vector<Solvers<T>> solvers{{std::ref(solver), std::ref(solver)}};
  if constexpr (is_complex<T>) solvers.push_back({Embedded{solver}, Embedded{solver}});
  const Solvers<T>& mine = o.embedded ? solvers.back() : solvers.front();

  Report report(comm, o, ising.ground_energy());
  bool passed = true;
  int retries = 0;  // steps whose matrix was not positive definite with the first shift
  Update<T> update{Rbm<T>(o.sites, o.hidden()).parameters(), {}};
  for (int step = 1; step <= o.steps; ++step) {
    const Stopwatch sampling;
    const Samples samples = sampler.sample(rbm, o.discarded, o.per_chain);
    const std::vector<T> energies = gather(comm, local_energies(ising, rbm, samples.spins));
    const double sampled = sampling.seconds();

    const Rows<T> rows{comm, jacobian(rbm, samples.spins), first, o.chains * o.per_chain};
    const Vector<T> e = residual(energies);
    update = o.qgt ? qgt_update(mine.qgt, rbm, rows, e, update.x) : ntk_update(mine.ntk, rbm, rows, e);
    if (o.verify) passed = same_in_all_forms(solvers, rbm, rows, e, update) && passed;
    retries += update.info.tries.size() > 1;
    descend(rbm, o.rate, update.x);

    Progress progress{step, statistics(energies, o.chains), samples.acceptance, sampled, update.info, {}};
    if (o.wants_exact(step)) {
      progress.exact = exact_energy(comm, ising, rbm);
      passed = o.meets_bars(step, report.relative_error(*progress.exact)) && passed;
    }
    report(progress);
  }
  return passed && retries >= o.least_retries;
}

bool run(MPI_Comm comm, const Options& o) {
  if (!o.check.empty()) return check_against_netket(comm, o.check);
  return o.complex ? train<Complex>(comm, o) : train<double>(comm, o);
}

}  // namespace ng

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
  const bool speaks = ng::rank_of(MPI_COMM_WORLD) == 0;
  CLI::App app("Variational Monte Carlo of the transverse-field Ising chain, by natural gradients", "natural_gradient");
  ng::Options options;
  ng::add_options(app, options);
  try {
    app.parse(static_cast<int>(own_end - argv), argv);
    status = ng::run(MPI_COMM_WORLD, options) ? 0 : 1;
    if (status != 0 && speaks) std::printf("FAILED\n");
  } catch (const CLI::ParseError& e) {
    status = e.get_exit_code();  // 0 for --help
    if (speaks) app.exit(e);
  } catch (const tessera::NotPositiveDefinite& e) {  // on all ranks alike
    if (speaks) std::fprintf(stderr, "natural_gradient: %s\n", e.what());
  } catch (const std::exception& e) {  // perhaps on this rank alone
    std::fprintf(stderr, "natural_gradient: %s\n", e.what());
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  Kokkos::finalize();
  MPI_Finalize();
  return status;
}

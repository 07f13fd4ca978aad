// SPDX-License-Identifier: BSD-3-Clause
#include "perf/compare_host/contender.hpp"

#include <algorithm>
#include <chrono>

namespace tessera::perf {

double Step::median() const {
  std::vector<double> sorted = seconds;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

double Step::least() const { return *std::min_element(seconds.begin(), seconds.end()); }

const Step* Contender::find(const std::string& step) const {
  const auto found = std::find_if(steps.begin(), steps.end(), [&](const Step& s) { return s.name == step; });
  return found == steps.end() ? nullptr : &*found;
}

double Contender::worst_error() const {
  double worst = 0;
  for (const Step& step : steps) {
    if (!(step.worst_error <= worst)) worst = step.worst_error;
  }
  return worst;
}

void interleave(MPI_Comm comm, std::vector<Contender>& contenders, int repetitions,
                const std::function<void(int, const Contender&)>& told) {
  const auto count = static_cast<int>(contenders.size());
  for (int r = 0; r < repetitions; ++r) {
    for (int turn = 0; turn < count; ++turn) {
      Contender& contender = contenders[static_cast<std::size_t>((r + turn) % count)];
      told(r, contender);
      contender.prepare();
      for (Step& step : contender.steps) {
        if (step.prepare) step.prepare();
        MPI_Barrier(comm);
        const auto start = std::chrono::steady_clock::now();
        step.run();
        MPI_Barrier(comm);
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
        double seconds = elapsed.count();
        MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX, comm);
        step.seconds.push_back(seconds);
        if (!step.error) continue;
        const double error = step.error();
        if (!(error <= step.worst_error)) step.worst_error = error;  // a NaN is the worst
      }
      contender.clear();
    }
  }
}

const Contender* best(const std::vector<Contender>& contenders, const std::string& name, const std::string& step) {
  const Contender* winner = nullptr;
  for (const Contender& contender : contenders) {
    if (contender.name != name || !contender.find(step)) continue;
    if (!winner || contender.find(step)->median() < winner->find(step)->median()) winner = &contender;
  }
  return winner;
}

}  // namespace tessera::perf

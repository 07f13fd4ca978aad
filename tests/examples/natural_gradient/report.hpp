// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "ising.hpp"
#include "options.hpp"
#include "step.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <optional>
#include <stdexcept>

namespace ng {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// What a step did. `energy` is of the parameters before it, from its samples, `exact` of those after it.
struct Progress {
  int step = 0;
  Statistics energy;
  double acceptance = 0, sampling = 0;
  tessera::CholeskyInfo info;
  std::optional<double> exact;
};

/// A line on the terminal and one in the file for each step, from rank 0.
class Report {
 public:
  Report(MPI_Comm comm, const Options& options, double ground_energy) : ground_(ground_energy) {
    int ranks;
    MPI_Comm_size(comm, &ranks);
    speaks_ = rank_of(comm) == 0;
    if (!speaks_ || options.json.empty()) return;
    file_.open(options.json);
    if (!file_) throw std::runtime_error("cannot write " + options.json);
    file_ << nlohmann::json{{"program", "natural_gradient"},
                            {"sites", options.sites},
                            {"coupling", options.coupling},
                            {"field", options.field},
                            {"parameters", options.complex ? "complex" : "real"},
                            {"form", options.qgt ? "QGT" : "NTK"},
                            {"samples", options.chains * options.per_chain},
                            {"seed", options.seed},
                            {"ranks", ranks},
                            {"ground_energy", ground_energy}}
          << std::endl;
  }

  double relative_error(double energy) const { return (energy - ground_) / std::abs(ground_); }

  void operator()(const Progress& p) {
    if (!speaks_) return;
    const auto& seconds = p.info.seconds;
    const double solve = seconds.factorize + seconds.solve;
    std::printf("%4d  E %.5f +- %.5f  variance %.2e  acceptance %.3f  shift %.1e", p.step, p.energy.mean,
                p.energy.error, p.energy.variance, p.acceptance, p.info.diag_shift);
    std::printf("  sampling %.4f s  assembly %.4f s  solve %.4f s", p.sampling, seconds.redistribute, solve);
    if (p.exact) std::printf("  exact error %.3e", relative_error(*p.exact));
    std::printf("\n");
    std::fflush(stdout);
    if (!file_.is_open()) return;
    nlohmann::json line{{"step", p.step},
                        {"energy", p.energy.mean},
                        {"error", p.energy.error},
                        {"variance", p.energy.variance},
                        {"acceptance", p.acceptance},
                        {"shift", p.info.diag_shift},
                        {"tries", p.info.tries.size()},
                        {"seconds", {{"sampling", p.sampling}, {"assembly", seconds.redistribute}, {"solve", solve}}}};
    if (p.exact) line["exact_energy"] = *p.exact;
    file_ << line << std::endl;
  }

 private:
  double ground_;
  bool speaks_ = false;
  std::ofstream file_;
};

}  // namespace ng

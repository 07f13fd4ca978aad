// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <mpi.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

// What is compared, and the one way in which all of it is timed.
namespace tessera::perf {

/// One timed operation, with all its samples. Whatever of it is not needed may be empty, but for run().
struct Step {
  std::string name;
  double flops = 0;
  std::function<void()> prepare;  ///< untimed
  std::function<void()> run;
  std::function<double()> error;  ///< the backward error of what run() left; untimed

  std::vector<double> seconds = {};
  double worst_error = 0;

  double median() const;
  double least() const;
  double gflops() const { return flops / median() * 1e-9; }
};

/// A way to do things: it makes its matrix anew for every repetition, untimed, and then goes through its steps.
struct Contender {
  std::string name;
  std::string detail;  ///< grid, tile and the like
  std::function<void()> prepare;
  std::vector<Step> steps;
  std::function<void()> clear;  ///< gives all memory back, so that contenders never hold it at once

  const Step* find(const std::string& step) const;
  double worst_error() const;
};

/// Collective. Runs all of them interleaved, as often as said; each repetition begins with another one, so that what
/// changes on the machine hits all alike. `told` is called before each turn.
void interleave(MPI_Comm comm, std::vector<Contender>& contenders, int repetitions,
                const std::function<void(int repetition, const Contender&)>& told);

/// The contender of that name whose `step` has the smallest median; null if there is none.
const Contender* best(const std::vector<Contender>& contenders, const std::string& name, const std::string& step);

}  // namespace tessera::perf

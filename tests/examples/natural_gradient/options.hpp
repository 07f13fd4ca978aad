// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace ng {

struct Options {
  bool complex = false, qgt = false, embedded = false, verify = false;
  int sites = 20, steps = 300, tries = 6, least_retries = 0;
  double coupling = 1, field = 1, alpha = 1, shift = 1e-3, rate = 0.02, first_shift = 1e-4;
  std::int64_t chains = 16, per_chain = 63, discarded = 5;
  std::uint64_t seed = 0;
  std::vector<int> exact_at;
  std::vector<std::vector<double>> bars;  // {step, least, most}
  std::string json, check;

  int hidden() const { return static_cast<int>(alpha * sites); }
  bool wants_exact(int step) const {
    for (const int s : exact_at)
      if (s == step) return true;
    for (const auto& bar : bars)
      if (static_cast<int>(bar[0]) == step) return true;
    return false;
  }
  /// Whether the relative energy error after that many steps is where it was said to be.
  bool meets_bars(int step, double error) const {
    for (const auto& bar : bars)
      if (static_cast<int>(bar[0]) == step && !(bar[1] <= error && error <= bar[2])) return false;
    return true;
  }
};

/// Throws for what is no experiment.
inline void require_sense(const Options& o) {
  const auto require = [](bool good, const char* option, const char* what) {
    if (!good) throw CLI::ValidationError(option, what);
  };
  require(o.sites >= 2 && o.sites % 2 == 0, "--sites", "an even number");
  require(o.sites <= 26 || (o.exact_at.empty() && o.bars.empty()), "--sites", "too many to sum over all states");
  require(o.hidden() >= 1, "--alpha", "at least one hidden unit");
  require(o.chains >= 2, "--chains", "at least 2, for an error estimate");
  require(o.per_chain >= 1, "--samples", "at least 1");
  require(o.discarded >= 0, "--discard", "not negative");
  require(!o.embedded || o.complex, "--embedded", "only with --complex");
}

inline void add_options(CLI::App& app, Options& o) {
  app.add_flag("--complex", o.complex, "Complex parameters");
  app.add_flag("--qgt", o.qgt, "Solve for the parameters (QGT), not for the samples (NTK)");
  app.add_flag("--embedded", o.embedded, "Solve the real system of twice the size that a complex one is embedded in");
  app.add_flag("--verify", o.verify, "Compute each update in every other way too; fail where they differ");
  app.add_option("--sites", o.sites, "Spins of the chain, an even number")->capture_default_str();
  app.add_option("--coupling", o.coupling, "J of J sz sz")->capture_default_str();
  app.add_option("--field", o.field, "h of -h sx")->capture_default_str();
  app.add_option("--alpha", o.alpha, "Hidden units per site")->capture_default_str();
  app.add_option("--chains", o.chains, "Markov chains on all ranks together")->capture_default_str();
  app.add_option("--samples", o.per_chain, "Samples of a chain in each step")->capture_default_str();
  app.add_option("--discard", o.discarded, "Sweeps before them")->capture_default_str();
  app.add_option("--shift", o.shift, "Added to the diagonal")->capture_default_str();
  app.add_option("--tries", o.tries, "Shifts in all, where the matrix is not positive definite")->capture_default_str();
  app.add_option("--first-shift", o.first_shift, "Added to the shift on the second try, ten times it on the third, ...")
      ->capture_default_str();
  app.add_option("--rate", o.rate, "Of learning")->capture_default_str();
  app.add_option("--steps", o.steps)->capture_default_str();
  app.add_option("--seed", o.seed)->capture_default_str();
  app.add_option("--exact-at", o.exact_at, "Sum over all states after these steps (1,10,100)")->delimiter(',');
  app.add_option_function<std::vector<std::string>>(
      "--bar",
      [&o](const std::vector<std::string>& texts) {
        for (const std::string& text : texts) {
          double step, least, most;
          if (std::sscanf(text.c_str(), "%lf:%lf:%lf", &step, &least, &most) != 3)
            throw CLI::ValidationError("--bar", "STEP:LEAST:MOST");
          o.bars.push_back({step, least, most});
        }
      },
      "STEP:LEAST:MOST: fail unless the exact relative error after that step is between them; may be repeated");
  app.add_option("--least-retries", o.least_retries, "Fail if fewer steps than that needed a second shift");
  app.add_option("--json", o.json, "Write one JSON object a step to this file");
  app.add_option("--check", o.check,
                 "Compare a step of NetKet's, saved by netket_step.py, with one of ours; no training");
  app.callback([&o] { require_sense(o); });
}

}  // namespace ng

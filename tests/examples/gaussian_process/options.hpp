// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gp {

struct Options {
  std::string co2, json, check;
  int every = 1, steps = 100, points = 0, samples = 3;
  std::int64_t n = 1000, held_out = 100;
  double tolerance = 0.1, until = 2010;
  std::uint64_t seed = 1;
  std::optional<double> bar;
  std::vector<std::int64_t> times;
};

inline void add_options(CLI::App& app, Options& o) {
  const auto positive = CLI::Range(1, 1 << 30);
  app.add_option("--co2", o.co2, "The record of carbon dioxide, data/co2.csv; without it, the data are synthetic");
  app.add_option("--every", o.every, "Take one record of so many")->check(positive)->capture_default_str();
  app.add_option("--n", o.n, "Synthetic observations to learn from")->check(positive)->capture_default_str();
  app.add_option("--held-out", o.held_out, "Of the observations, predict the last ones instead of learning from them")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--seed", o.seed, "Of synthetic data and of samples")->capture_default_str();
  app.add_option("--steps", o.steps, "Of training, the most")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--tolerance", o.tolerance, "Training ends, once no derivative is larger")->capture_default_str();
  app.add_option("--points", o.points, "Predict the carbon dioxide at so many times from the first record on")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--until", o.until, "The last one's year")->capture_default_str();
  app.add_option("--samples", o.samples, "Of what may be observed at these times")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--json", o.json, "Write data, parameters and predictions to this file");
  app.add_option("--bar", o.bar, "Fail unless training comes to that log-likelihood at least");
  app.add_option("--check", o.check, "Compare with scikit-learn's numbers in this file; no training");
  app.add_option("--times", o.times, "Time the log-likelihood and its gradient for these n; no training")
      ->delimiter(',')
      ->check(positive);
}

}  // namespace gp

// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/timeline.hpp"

#include <tessera/options.hpp>
#include <tessera/process_grid.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tessera::perf {

/// What tessera-solve is asked for.
struct Settings {
  std::int64_t n = 4000;
  std::int64_t nrhs = 1;
  std::string scalar = "double";
  std::int64_t tile = 0;
  std::int64_t slab = 0;
  std::optional<GridShape> grid;
  Arithmetic arithmetic = Arithmetic::native;
  int moduli = 0;
  std::string kernel = "matern52";
  double length_scale = 0.2;
  double noise = 0.01;
  double shift = 0;
  std::uint64_t seed = 1;
  std::string json;
  std::string timeline;
  int timeline_rank = 0;
};

/// What came of it; tile, slab, grid, arithmetic and moduli are those used.
struct Report {
  Settings settings;
  std::string execution_space;
  int ranks = 1;
  std::int64_t least_bytes = 0;  ///< of the matrix, on the rank that keeps the least
  std::int64_t most_bytes = 0;
  std::int64_t integer_columns = 0;
  double assemble_seconds = 0;
  double factorize_seconds = 0;
  double solve_seconds = 0;
  double log_determinant = 0;
  double log_likelihood = 0;  ///< the sum over the right-hand sides
  double backward_error = 0;
  std::string not_finite;                 ///< what_is_not_finite()
  std::vector<Timeline::Event> timeline;  ///< of the rank that was asked for, and there only

  double factorize_gflops() const;
  double solve_gflops() const;

  std::string text() const;
  std::string json() const;
  std::string timeline_json() const;
};

}  // namespace tessera::perf

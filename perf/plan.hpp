// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/report.hpp"

#include <tessera/memory_plan.hpp>

#include <optional>
#include <string>

namespace tessera::perf {

/// What tessera-solve would need of memory, on a machine that need not be this one.
struct PlanReport {
  Settings settings;
  int ranks = 1;
  std::optional<double> gibibytes_free;  ///< on each rank
  MemoryPlan plan;

  std::string text() const;
  std::string json() const;
};

/// For `ranks` ranks, or the grid of the settings.
PlanReport plan_memory(const Settings& settings, int ranks, std::optional<double> gibibytes_free);

}  // namespace tessera::perf

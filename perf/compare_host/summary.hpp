// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/compare_host/contender.hpp"
#include "perf/machine.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace tessera::perf {

/// Everything that one run measured.
struct Summary {
  std::string scalar;
  std::int64_t n = 0;
  std::int64_t parameters = 0;  ///< of a natural-gradient step; 0: none
  int ranks = 1;
  int repetitions = 0;
  Machine machine;
  double load_before = 0;
  double load_after = 0;
  std::vector<Contender> contenders;

  std::string text() const;
  std::string json() const;
};

}  // namespace tessera::perf

#pragma once

#include "perf/compare_host/contender.hpp"
#include "perf/compare_host/machine.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace tessera::perf {

/// Everything that one run measured.
struct Summary {
  std::string scalar;
  std::int64_t n = 0;
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

// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/compare_host/contender.hpp"

#include <nlohmann/json.hpp>

#include <vector>

namespace tessera::perf {

/// All that was measured.
inline nlohmann::ordered_json to_json(const std::vector<Contender>& contenders) {
  using Json = nlohmann::ordered_json;
  Json measured = Json::array();
  for (const Contender& contender : contenders) {
    Json steps = Json::array();
    for (const Step& step : contender.steps) {
      Json one = {{"name", step.name},
                  {"flops", step.flops},
                  {"median_seconds", step.median()},
                  {"gflops", step.gflops()},
                  {"seconds", step.seconds}};
      if (step.error) one["worst_backward_error"] = step.worst_error;
      steps.push_back(one);
    }
    measured.push_back({{"name", contender.name}, {"detail", contender.detail}, {"steps", steps}});
  }
  return measured;
}

}  // namespace tessera::perf

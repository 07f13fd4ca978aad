// SPDX-License-Identifier: BSD-3-Clause
#include "perf/compare_host/summary.hpp"

#include "perf/compare_host/json.hpp"
#include "perf/provenance.hpp"

#include <algorithm>
#include <cstdio>

namespace tessera::perf {
namespace {

/// How many times as fast one is at a step as another, by medians and by the least times, which other programs on the
/// machine disturb less.
struct Ratio {
  std::string one;
  std::string other;
  std::string step;
  double medians = 0;
  double least = 0;
};

std::string full_name(const Contender& c) { return c.detail.empty() ? c.name : c.name + ", " + c.detail; }

std::vector<Ratio> ratios(const std::vector<Contender>& contenders) {
  std::vector<Ratio> found;
  const Contender* gemm = best(contenders, "gemm", "gemm");
  for (const Contender& ours : contenders) {
    const Step* factorize = ours.find("factorize");
    for (const char* name : {"factorize", "assemble"}) {
      const Step* step = ours.find(name);
      if (!step || !gemm) continue;
      const Step& bound = *gemm->find("gemm");
      const double flops = step->flops / bound.flops;
      found.push_back({full_name(ours), full_name(*gemm) + ", in GF/s", name, flops * bound.median() / step->median(),
                       flops * bound.least() / step->least()});
    }
    const bool by_rows = ours.name == "Tessera by rows";
    if (ours.name == "Tessera" || by_rows) {
      for (const Step& step : ours.steps) {
        for (const char* name : {"LAPACK", "ScaLAPACK", by_rows ? "Tessera" : ""}) {
          const Contender* theirs = best(contenders, name, step.name);
          if (!theirs) continue;
          const Step& other = *theirs->find(step.name);
          found.push_back({full_name(ours), full_name(*theirs), step.name, other.median() / step.median(),
                           other.least() / step.least()});
        }
      }
    }
    if (const Step* invert = ours.find("invert"); invert && ours.name == "Tessera") {
      for (const char* name : {"LAPACK", "ScaLAPACK"}) {
        const Contender* theirs = best(contenders, name, "invert");
        if (!theirs) continue;
        const Step& factored = *theirs->find("factorize");
        const Step& inverted = *theirs->find("invert");
        found.push_back({full_name(ours), full_name(*theirs), "factorize and invert",
                         (factored.median() + inverted.median()) / (factorize->median() + invert->median()),
                         (factored.least() + inverted.least()) / (factorize->least() + invert->least())});
      }
    }
    if (const Step* diagonal = ours.find("inverse_diagonal"); diagonal && factorize) {
      found.push_back({full_name(ours), "factorize", diagonal->name, factorize->median() / diagonal->median(),
                       factorize->least() / diagonal->least()});
    }
    for (const Contender& whole : contenders) {
      if (ours.name != "Tessera" || whole.name != "cholesky_distributed" || whole.detail != ours.detail) continue;
      const Step* solve = ours.find("solve 1");
      if (!solve) continue;
      const Step& call = whole.steps.front();
      found.push_back({full_name(whole), "factorize and solve 1", call.name,
                       (factorize->median() + solve->median()) / call.median(),
                       (factorize->least() + solve->least()) / call.least()});
    }
  }
  return found;
}

std::string line(const char* format, const std::string& name, auto... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, name.c_str(), values...);
  return text;
}

}  // namespace

std::string Summary::text() const {
  std::string text = scalar + ", n = " + std::to_string(n) + ", " + std::to_string(ranks) + " ranks x " +
                     std::to_string(machine.blas_threads) + " BLAS threads on " + std::to_string(machine.cores) +
                     " cores; medians of " + std::to_string(repetitions) + "\n" + machine.cpu + ", " + machine.blas +
                     ", " + machine.mpi + "\ngemm from " + machine.gemm_from + ", potrf from " + machine.potrf_from +
                     "\n";
  text += line("%s%.2f before, %.2f after\n\n", "load average ", load_before, load_after);
  text += line("%-34s", "") + "  seconds (  least     most)      GF/s   error\n";
  for (const Contender& contender : contenders) {
    text += full_name(contender) + "\n";
    for (const Step& step : contender.steps) {
      const auto [least, most] = std::minmax_element(step.seconds.begin(), step.seconds.end());
      text += line("  %-32s %8.4f (%7.4f  %7.4f)  %8.1f", step.name, step.median(), *least, *most, step.gflops());
      text += step.error ? line("%s  %.1e\n", "", step.worst_error) : "\n";
    }
  }
  text += "\ntimes as fast, by the medians (by the least)\n";
  for (const Ratio& ratio : ratios(contenders)) {
    text += line("  %-10s", ratio.step) + line("%s%6.3f (%5.3f)  ", "", ratio.medians, ratio.least) + ratio.one +
            " : " + ratio.other + "\n";
  }
  return text;
}

std::string Summary::json() const {
  using Json = nlohmann::ordered_json;
  Json compared = Json::array();
  for (const Ratio& ratio : ratios(contenders)) {
    compared.push_back({{"step", ratio.step},
                        {"one", ratio.one},
                        {"other", ratio.other},
                        {"speedup", ratio.medians},
                        {"speedup_by_least", ratio.least}});
  }
  Json data = provenance("tessera-compare", machine);
  data.update({{"ranks", ranks},
               {"load_average", {{"before", load_before}, {"after", load_after}}},
               {"scalar", scalar},
               {"n", n},
               {"parameters", parameters},
               {"repetitions", repetitions},
               {"contenders", to_json(contenders)},
               {"ratios", compared}});
  return data.dump(2) + "\n";
}

}  // namespace tessera::perf

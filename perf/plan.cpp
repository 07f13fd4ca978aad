// SPDX-License-Identifier: BSD-3-Clause
#include "perf/plan.hpp"

#include "perf/print.hpp"
#include "perf/program.hpp"
#include "perf/provenance.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace tessera::perf {
namespace {

constexpr double gibibyte = 1 << 30;

using Field = std::pair<const char*, std::int64_t RankMemory::*>;
const std::vector<Field> fields{{"matrix", &RankMemory::matrix},
                                {"inverses", &RankMemory::inverses},
                                {"right_hand_sides", &RankMemory::right_hand_sides},
                                {"factorize", &RankMemory::factorize},
                                {"solve", &RankMemory::solve},
                                {"peak", &RankMemory::peak}};

std::pair<std::int64_t, std::int64_t> range(const MemoryPlan& plan, std::int64_t RankMemory::*field) {
  const auto [least, most] =
      std::minmax_element(plan.ranks.begin(), plan.ranks.end(),
                          [&](const RankMemory& a, const RankMemory& b) { return a.*field < b.*field; });
  return {(*least).*field, (*most).*field};
}

}  // namespace

PlanReport plan_memory(const Settings& settings, int ranks, std::optional<double> gibibytes_free) {
  PlanReport report{settings, ranks, gibibytes_free, {}};
  MemoryPlanOptions options{.nrhs = settings.nrhs,
                            .tile_size = settings.tile,
                            .slab = settings.slab,
                            .arithmetic = settings.arithmetic,
                            .moduli = settings.moduli};
  if (gibibytes_free) options.bytes_free = static_cast<std::int64_t>(*gibibytes_free * gibibyte);
  const GridShape grid = settings.grid.value_or(nearly_square(ranks));
  with_scalar(settings.scalar,
              [&](auto number) { report.plan = memory_plan<decltype(number)>(settings.n, grid, options); });
  return report;
}

std::string PlanReport::text() const {
  const double numbers = static_cast<double>(settings.n) * static_cast<double>(settings.n);
  const double whole = numbers * static_cast<double>(bytes_per_number(settings.scalar));
  std::string text;
  print(text, "Memory for n = %lld, %s, %lld right-hand sides on %d ranks, a grid of %d x %d\n\n",
        static_cast<long long>(settings.n), settings.scalar.c_str(), static_cast<long long>(settings.nrhs), ranks,
        plan.grid.rows, plan.grid.cols);
  print(text, "  tile, slab         %lld, %lld columns\n", static_cast<long long>(plan.tile_size),
        static_cast<long long>(plan.slab));
  print(text, "  products           %s\n\n", describe_products(plan.moduli, plan.integer_columns, settings.n).c_str());
  print(text, "  GiB per rank       %10s %10s\n", "least", "most");
  for (const auto& [name, field] : fields) {
    const auto [least, most] = range(plan, field);
    std::string words = name;
    std::replace(words.begin(), words.end(), '_', ' ');
    print(text, "  %-18s %10.4f %10.4f\n", words.c_str(), static_cast<double>(least) / gibibyte,
          static_cast<double>(most) / gibibyte);
  }
  const auto total = static_cast<double>(plan.total());
  print(text, "\n  all ranks          %10.4f GiB, %.3f of the full matrix\n", total / gibibyte, total / whole);
  if (gibibytes_free) {
    print(text, "  %s in %g GiB per rank\n", plan.fits ? "fits" : "does not fit", *gibibytes_free);
  }
  return text;
}

std::string PlanReport::json() const {
  using Json = nlohmann::ordered_json;
  Json memory = Json::array();
  for (const RankMemory& rank : plan.ranks) {
    Json one;
    for (const auto& [name, field] : fields) one[name] = rank.*field;
    memory.push_back(one);
  }
  Json data = provenance("tessera-solve --plan");
  data.update({{"n", settings.n},
               {"nrhs", settings.nrhs},
               {"scalar", settings.scalar},
               {"ranks", ranks},
               {"grid", {{"rows", plan.grid.rows}, {"cols", plan.grid.cols}}},
               {"tile", plan.tile_size},
               {"slab", plan.slab},
               {"arithmetic", name_of(plan.moduli == 0 ? Arithmetic::native : Arithmetic::integer)},
               {"moduli", plan.moduli},
               {"integer_columns", plan.integer_columns},
               {"fits", plan.fits},
               {"peak_bytes", plan.peak()},
               {"total_bytes", plan.total()},
               {"bytes_per_rank", memory}});
  return data.dump(2) + "\n";
}

}  // namespace tessera::perf

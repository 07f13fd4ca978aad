// SPDX-License-Identifier: BSD-3-Clause
#include "perf/report.hpp"

#include "perf/print.hpp"
#include "perf/program.hpp"
#include "perf/provenance.hpp"

namespace tessera::perf {
namespace {

double gflops(const Settings& settings, double flops, double seconds) {
  const double per_real = settings.scalar.rfind("complex", 0) == 0 ? 4 : 1;
  return seconds > 0 ? per_real * flops / seconds * 1e-9 : 0;
}

double mebibytes(std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

}  // namespace

double Report::factorize_gflops() const {
  const auto n = static_cast<double>(settings.n);
  return gflops(settings, n * n * n / 3, factorize_seconds);
}

double Report::solve_gflops() const {
  const auto n = static_cast<double>(settings.n);
  return gflops(settings, 2 * n * n * static_cast<double>(settings.nrhs), solve_seconds);
}

std::string Report::text() const {
  const Settings& s = settings;
  const GridShape grid = s.grid.value_or(GridShape{});
  std::string text;
  print(text, "Gaussian process: %s kernel, length scale %g, noise %g, seed %llu\n", s.kernel.c_str(), s.length_scale,
        s.noise, static_cast<unsigned long long>(s.seed));
  if (s.shift != 0) print(text, "%g added to the diagonal\n", s.shift);
  text += "\n";
  print(text, "  points n           %lld\n", static_cast<long long>(s.n));
  print(text, "  right-hand sides   %lld\n", static_cast<long long>(s.nrhs));
  print(text, "  scalar             %s\n", s.scalar.c_str());
  print(text, "  ranks              %d, a grid of %d x %d, %s\n", ranks, grid.rows, grid.cols, execution_space.c_str());
  print(text, "  tile, slab         %lld, %lld columns\n", static_cast<long long>(s.tile),
        static_cast<long long>(s.slab));
  print(text, "  products           %s\n", describe_products(s.moduli, integer_columns, s.n).c_str());
  print(text, "  matrix per rank    %.1f to %.1f MiB\n\n", mebibytes(least_bytes), mebibytes(most_bytes));
  print(text, "  phase              seconds      GF/s\n");
  print(text, "  assemble        %10.3f\n", assemble_seconds);
  print(text, "  factorize       %10.3f  %8.1f\n", factorize_seconds, factorize_gflops());
  print(text, "  solve           %10.3f  %8.1f\n\n", solve_seconds, solve_gflops());
  print(text, "  log-determinant    %.10g\n", log_determinant);
  print(text, "  log-likelihood     %.10g%s\n", log_likelihood, s.nrhs > 1 ? " (all right-hand sides together)" : "");
  print(text, "  backward error     %.1e = |b - A x| / (|A| |x| + |b|), Frobenius norms\n", backward_error);
  if (!not_finite.empty()) print(text, "  not finite         %s\n", not_finite.c_str());
  return text;
}

std::string Report::json() const {
  const Settings& s = settings;
  const GridShape grid = s.grid.value_or(GridShape{});
  nlohmann::ordered_json data = provenance("tessera-solve");
  data.update({
      {"n", s.n},
      {"nrhs", s.nrhs},
      {"scalar", s.scalar},
      {"kernel", s.kernel},
      {"length_scale", s.length_scale},
      {"noise", s.noise},
      {"diag_shift", s.shift},
      {"seed", s.seed},
      {"execution_space", execution_space},
      {"ranks", ranks},
      {"grid", {{"rows", grid.rows}, {"cols", grid.cols}}},
      {"tile", s.tile},
      {"slab", s.slab},
      {"arithmetic", name_of(s.arithmetic)},
      {"moduli", s.moduli},
      {"integer_columns", integer_columns},
      {"bytes_per_rank", {{"min", least_bytes}, {"max", most_bytes}}},
      {"seconds", {{"assemble", assemble_seconds}, {"factorize", factorize_seconds}, {"solve", solve_seconds}}},
      {"gflops", {{"factorize", factorize_gflops()}, {"solve", solve_gflops()}}},
      {"log_determinant", log_determinant},
      {"log_likelihood", log_likelihood},
      {"backward_error", backward_error},
      {"not_finite", not_finite},
  });
  return data.dump(2) + "\n";
}

std::string Report::timeline_json() const {
  using Json = nlohmann::ordered_json;
  const Settings& s = settings;
  const GridShape grid = s.grid.value_or(GridShape{});
  Json events = Json::array();
  for (const Timeline::Event& event : timeline) {
    events.push_back({{"name", event.name}, {"begin", event.begin}, {"end", event.end}, {"depth", event.depth}});
  }
  Json data = provenance("tessera-solve");
  data.update({
      {"rank", s.timeline_rank},
      {"ranks", ranks},
      {"grid", {{"rows", grid.rows}, {"cols", grid.cols}}},
      {"n", s.n},
      {"nrhs", s.nrhs},
      {"tile", s.tile},
      {"scalar", s.scalar},
      {"execution_space", execution_space},
      {"events", events},
  });
  return data.dump() + "\n";
}

}  // namespace tessera::perf

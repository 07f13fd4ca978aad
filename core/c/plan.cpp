// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/memory_plan.hpp"

#include "core/c/arguments.hpp"
#include "core/c/errors.hpp"

namespace tessera::c {
namespace {

MemoryPlanOptions plan_options_of(const tessera_plan_options& options) {
  Source source = Source::rows;
  if (options.source == TESSERA_BUFFERED_ROWS) {
    source = Source::buffered_rows;
  } else if (options.source != TESSERA_ROWS) {
    detail::throw_misuse("source", "must be a tessera_source, got " + std::to_string(options.source));
  }
  MemoryPlanOptions result{.nrhs = options.nrhs,
                           .by_rows = flag_of("by_rows", options.by_rows),
                           .tile_size = options.tile_size,
                           .source = source,
                           .triangle = static_cast<Triangle>(options.triangle),
                           .arithmetic = static_cast<Arithmetic>(options.arithmetic),
                           .moduli = options.moduli,
                           .inverse = flag_of("inverse", options.inverse),
                           .x_replaces_b = true};
  if (options.bytes_free != -1) result.bytes_free = options.bytes_free;
  return result;
}

}  // namespace
}  // namespace tessera::c

using namespace tessera;
using namespace tessera::c;

void tessera_plan_options_init(tessera_plan_options* options, size_t size) {
  const tessera_plan_options defaults{
      size, 1, 0, -1, 0, 0, 0, TESSERA_ROWS, TESSERA_LOWER, TESSERA_NATIVE, 0, 0, TESSERA_DEFAULT_SPACE, 0};
  std::copy_n(reinterpret_cast<const char*>(&defaults), std::min(size, sizeof defaults),
              reinterpret_cast<char*>(options));
}

tessera_status tessera_memory_plan(int scalar, int64_t n, int ranks, const tessera_plan_options* given,
                                   tessera_plan* plan, tessera_rank_plan* each) {
  return guarded([&] {
    if (plan == nullptr) detail::throw_misuse("plan", "is null");
    const auto options = complete("options.size", given, tessera_plan_options_init);
    require_scalar("scalar", scalar);
    require_space(options.space);
    with_scalar(scalar, [&]<class T>() {
      with_space(options.space, [&]<class Exec>() {
        const auto grid = grid_of(options.grid_rows, options.grid_cols);
        if (grid) detail::require_grid("grid", *grid, ranks);
        const MemoryPlanOptions plan_options = plan_options_of(options);
        const MemoryPlan planned =
            grid ? memory_plan<T, Exec>(n, *grid, plan_options) : memory_plan<T, Exec>(n, ranks, plan_options);
        *plan = {planned.peak(),    planned.total(), planned.tile_size,    planned.slab,           planned.grid.rows,
                 planned.grid.cols, planned.moduli,  planned.fits ? 1 : 0, planned.integer_columns};
        for (std::size_t rank = 0; each != nullptr && rank < planned.ranks.size(); ++rank) {
          const RankMemory& m = planned.ranks[rank];
          const RankTraffic& t = planned.sent[rank];
          each[rank] = {m.matrix,  m.inverses, m.right_hand_sides, m.redistribute, m.factorize, m.solve,
                        m.inverse, m.peak,     t.messages,         t.bytes};
        }
      });
    });
  });
}

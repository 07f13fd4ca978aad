#include "tessera/memory_plan.hpp"

#include "core/assemble/gram_memory.hpp"
#include "core/assemble/redistribute_memory.hpp"
#include "core/factorize/buffers.hpp"
#include "core/factorize/messages.hpp"
#include "core/factorize/step.hpp"
#include "core/matrix/leaves.hpp"
#include "core/solve/buffers.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/cholesky_distributed.hpp"
#include "tessera/detail/saturated.hpp"
#include "tessera/redistribute.hpp"
#include "tessera/sharded_matrix.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

namespace tessera {
namespace {

/// Kokkos allocates multiples of 8 bytes.
constexpr std::int64_t allocated(std::int64_t bytes) { return detail::saturated_round_up(bytes, 8); }

/// Throws Misuse, which names what needs most of the memory, if the bytes of a plan are more than a std::int64_t holds.
void require_countable(const MemoryPlan& plan, std::int64_t n, std::int64_t nrhs) {
  if (plan.total() < detail::saturated) return;
  const RankMemory& first = plan.ranks.front();
  const bool by_nrhs = first.right_hand_sides > first.matrix;
  detail::throw_misuse(by_nrhs ? "nrhs" : "n",
                       "leads to more bytes than a std::int64_t holds, got " + std::to_string(by_nrhs ? nrhs : n));
}

template <class T, class Exec>
RankMemory memory_of_rank(std::int64_t n, GridShape grid, int rank, const MemoryPlanOptions& options) {
  using MemorySpace = typename Exec::memory_space;
  const std::int64_t nrhs = options.nrhs;
  const SlabLayout layout =
      detail::make_layout<T, MemorySpace>(grid, rank, n, std::max<std::int64_t>(1, options.tile_size), options.slab);
  constexpr std::int64_t size{sizeof(T)};
  const detail::Schedule schedule;
  const bool one_call = options.source != Source::fill;
  const int ranks = grid.rows * grid.cols;
  RankMemory memory;
  memory.matrix = allocated(detail::saturated_product(layout.size(), size));
  memory.inverses = allocated(detail::Leaves<MemorySpace>(layout).template inverses_size<T>() * size);
  memory.right_hand_sides = detail::saturated_product(
      allocated(detail::saturated_product(detail::saturated_product(n, nrhs), size)), one_call ? 2 : 1);
  if (options.source == Source::gram || options.source == Source::buffered_gram) {
    const bool sharded_rows = options.gram.form == GramForm::j_jh;
    std::vector<std::int64_t> first_sample;
    for (int r = 0; r <= ranks; ++r) {
      first_sample.push_back(detail::operator_row_begin(sharded_rows ? n : options.depth, ranks, r));
    }
    const bool buffered = options.source == Source::buffered_gram;
    const bool in_place = detail::is_multiplied_in_place<T>(options.gram, ranks, detail::order_of_blocks<Exec>);
    const detail::GramChunks chunks(options.gram, sharded_rows ? options.depth : n, first_sample,
                                    detail::terms_per_chunk<MemorySpace>(n, buffered, in_place));
    memory.redistribute =
        detail::bytes_of<detail::GramBuffers<T, Exec>, MemorySpace>(layout, chunks, rank, buffered, in_place);
  } else if (one_call) {
    const std::int64_t rows =
        detail::operator_row_begin(n, ranks, rank + 1) - detail::operator_row_begin(n, ranks, rank);
    memory.redistribute = detail::bytes_of<detail::RedistributeBuffers<T, MemorySpace>, MemorySpace>(
        layout, options.triangle == Triangle::upper, options.source == Source::buffered_rows ? rows : 0);
  }
  memory.factorize = detail::bytes_of<detail::FactorizeBuffers<T, Exec>, MemorySpace>(layout, schedule);
  if (nrhs > 0) memory.solve = detail::bytes_of<detail::SolveBuffers<T, Exec>, MemorySpace>(layout, nrhs, schedule);
  // The workspace is taken from phase to phase.
  const std::int64_t workspace = std::max({memory.redistribute, memory.factorize, memory.solve});
  for (const std::int64_t bytes : {memory.matrix, memory.inverses, memory.right_hand_sides, workspace}) {
    memory.peak = detail::saturated_sum(memory.peak, bytes);
  }
  return memory;
}

/// What a rank sends while A is factored.
template <class T, class MemorySpace>
RankTraffic traffic_of_rank(const SlabLayout& layout) {
  RankTraffic sent;
  TileRange previous;
  for (const TileRange k : detail::Steps<MemorySpace>(layout).all()) {
    const detail::Step step{k, std::exchange(previous, k)};
    detail::CountedMessages<T> counted(layout, step, detail::Schedule().chunk_rows, sent);
    detail::describe(step, counted);
  }
  return sent;
}

template <class T, class Exec>
MemoryPlan plan_for(std::int64_t n, GridShape grid, const MemoryPlanOptions& options) {
  MemoryPlan plan;
  plan.grid = grid;
  plan.tile_size = options.tile_size;
  const int ranks = grid.rows * grid.cols;
  plan.slab = detail::make_layout<T, typename Exec::memory_space>(
                  grid, 0, n, std::max<std::int64_t>(1, options.tile_size), options.slab)
                  .slab;
  for (int rank = 0; rank < ranks; ++rank) plan.ranks.push_back(memory_of_rank<T, Exec>(n, grid, rank, options));
  require_countable(plan, n, options.nrhs);
  plan.fits = !options.bytes_free || plan.peak() <= *options.bytes_free;
  return plan;
}

}  // namespace

std::int64_t MemoryPlan::peak() const {
  std::int64_t most = 0;
  for (const RankMemory& rank : ranks) most = std::max(most, rank.peak);
  return most;
}

std::int64_t MemoryPlan::total() const {
  return std::accumulate(ranks.begin(), ranks.end(), std::int64_t{0}, [](std::int64_t sum, const RankMemory& rank) {
    return detail::saturated_sum(sum, rank.peak);
  });
}

namespace detail {

template <class T, class Exec>
MemoryPlan plan_memory(std::int64_t n, GridShape grid, const MemoryPlanOptions& options) {
  if (std::int64_t{grid.rows} * grid.cols > std::numeric_limits<int>::max()) {
    throw_misuse("grid",
                 "has more ranks than an int holds: " + std::to_string(grid.rows) + " x " + std::to_string(grid.cols));
  }
  const int ranks = grid.rows * grid.cols;
  require_grid("grid", grid, ranks);
  if (options.tile_size < 0) {
    throw_misuse("tile_size", "extent must not be negative, got " + std::to_string(options.tile_size));
  }
  require_dimensions(n, std::max<std::int64_t>(1, options.tile_size), options.slab);
  if (options.nrhs < 0) throw_misuse("nrhs", "must not be negative, got " + std::to_string(options.nrhs));
  if (options.depth < 0 || options.depth > most_terms) {
    throw_misuse("depth", "must be from 0 to 2^40, got " + std::to_string(options.depth));
  }
  require_gram_options(options.gram, largest_real<T>);
  require_triangle(options.triangle);

  MemoryPlanOptions asked = options;
  asked.tile_size = tile_size_for<T, typename Exec::memory_space>(options.tile_size, n, grid);
  MemoryPlan plan = plan_for<T, Exec>(n, grid, asked);
  // Narrower slabs store less above the diagonal, smaller tiles have smaller slots; each makes the products narrower.
  constexpr std::int64_t least_tile = 32;
  while (!plan.fits) {
    const bool slab_is_free = options.slab == 0 && options.source == Source::fill;
    if (slab_is_free && plan.slab > asked.tile_size) {
      asked.slab = std::max(asked.tile_size, plan.slab / 2);
    } else if (options.tile_size == 0 && asked.tile_size > least_tile) {
      asked.tile_size /= 2;
    } else {
      break;
    }
    plan = plan_for<T, Exec>(n, grid, asked);
  }
  for (int rank = 0; rank < ranks; ++rank) {
    const SlabLayout layout = make_layout<T, typename Exec::memory_space>(
        grid, rank, n, std::max<std::int64_t>(1, asked.tile_size), asked.slab);
    plan.sent.push_back(traffic_of_rank<T, typename Exec::memory_space>(layout));
  }
  return plan;
}

template <class T, class Exec>
MemoryPlan plan_memory(std::int64_t n, int ranks, const MemoryPlanOptions& options) {
  if (ranks < 1) throw_misuse("ranks", "must be at least 1, got " + std::to_string(ranks));
  return plan_memory<T, Exec>(n, nearly_square(ranks), options);
}

#define TESSERA_INSTANTIATE_PLAN(T, Exec)                                                      \
  template MemoryPlan plan_memory<T, Exec>(std::int64_t, GridShape, const MemoryPlanOptions&); \
  template MemoryPlan plan_memory<T, Exec>(std::int64_t, int, const MemoryPlanOptions&);
#define TESSERA_INSTANTIATE_PLANS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_PLAN, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_PLANS)

}  // namespace detail
}  // namespace tessera

// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/memory_plan.hpp"

#include "core/assemble/gram_memory.hpp"
#include "core/assemble/redistribute_memory.hpp"
#include "core/factorize/buffers.hpp"
#include "core/factorize/integer_columns.hpp"
#include "core/factorize/traffic.hpp"
#include "core/matrix/leaves.hpp"
#include "core/solve/buffers.hpp"
#include "core/solve/inverse_buffers.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/cholesky_distributed.hpp"
#include "tessera/detail/saturated.hpp"
#include "tessera/redistribute.hpp"
#include "tessera/sharded_matrix.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace tessera {
namespace {

/// Kokkos allocates multiples of 8 bytes.
constexpr std::int64_t allocated(std::int64_t bytes) { return detail::saturated_round_up(bytes, 8); }

/// Throws Misuse, which names what needs most of the memory, if the bytes of a plan are more than a std::int64_t holds.
void require_countable(const MemoryPlan& plan, std::int64_t n, const MemoryPlanOptions& options) {
  if (plan.total() < detail::saturated) return;
  const RankMemory& first = plan.ranks.front();
  const bool by_nrhs = first.right_hand_sides > first.matrix;
  const bool by_reserve = !by_nrhs && options.reserve > n;
  const std::int64_t got = by_nrhs ? options.nrhs : by_reserve ? options.reserve : n;
  detail::throw_misuse(by_nrhs      ? "nrhs"
                       : by_reserve ? "reserve"
                                    : "n",
                       "leads to more bytes than a std::int64_t holds, got " + std::to_string(got));
}

/// What the ranks of a grid allocate. Their buffers are of a few kinds: one rank of each is asked for them.
template <class T, class Exec>
class SystemMemory {
 public:
  using MemorySpace = typename Exec::memory_space;

  SystemMemory(std::int64_t n, GridShape grid, const MemoryPlanOptions& options, const detail::Integers& integers)
      : n_(n), grid_(grid, options.order), ranks_(grid.rows * grid.cols), options_(options), integers_(integers) {
    if (options.source != Source::gram && options.source != Source::buffered_gram) return;
    const bool sharded_rows = options.gram.form == GramForm::j_jh;
    shared_out_ = sharded_rows ? n : options.depth;
    std::vector<std::int64_t> first_sample;
    for (int r = 0; r <= ranks_; ++r) first_sample.push_back(detail::operator_row_begin(shared_out_, ranks_, r));
    buffered_ = options.source == Source::buffered_gram;
    in_place_ = detail::is_multiplied_in_place<T>(options.gram, ranks_, detail::order_of_blocks<Exec>);
    gram_moduli_ = detail::gram_moduli<T, Exec>(options.gram, n, options.depth);
    const std::int64_t parameters = n == 0 ? 0 : options.depth;  // where no rank has a sample, there is none
    chunks_.emplace(options.gram, sharded_rows ? parameters : n, std::move(first_sample),
                    detail::terms_per_chunk<MemorySpace>(n, buffered_, in_place_, gram_moduli_));
  }

  SlabLayout layout_of(int rank) const {
    SlabLayout layout =
        detail::make_layout<T, MemorySpace>(grid_, rank, n_, options_.tile_size, options_.slab, options_.reserve);
    if (options_.adopted) layout.adopted = 1;  // any leading dimension: the caller's array is not counted
    return layout;
  }

  int gram_moduli() const { return gram_moduli_; }

  RankMemory of_rank(int rank) {
    const SlabLayout layout = layout_of(rank);
    const Kind kind{layout.rows.local_extent(),
                    layout.columns.local_extent(),
                    detail::nesting_of(layout.rows, layout.columns),
                    shard_of(rank),
                    rows_of_b(rank),
                    integers_.moduli > 0 ? detail::ResidueLayout<T, MemorySpace>(layout, integers_).size() : 0,
                    gram_moduli_ > 0
                        ? detail::GramBlocks<MemorySpace>(layout, gram_moduli_ * kernels::planes_per_modulus<T>).size()
                        : 0,
                    detail::AboveDiagonal<T, Exec>::size(layout, integers_.moduli)};
    const auto [known, is_new] = by_kind_.try_emplace(kind);
    if (is_new) known->second = buffers_of(layout, rank);
    RankMemory memory = known->second;
    memory.matrix = options_.adopted ? 0 : allocated(detail::saturated_product(layout.size(), size));
    // The workspace is taken from phase to phase; but a factor by integers gives that of the factorisation back.
    const bool kept = options_.source != Source::fill || integers_.moduli == 0;
    const std::int64_t after = std::max(
        {memory.redistribute, kept ? memory.factorize : 0, memory.solve, options_.inverse ? memory.inverse : 0});
    const std::int64_t all = std::max(memory.factorize, detail::saturated_sum(memory.right_hand_sides, after));
    for (const std::int64_t bytes : {memory.matrix, memory.inverses, all}) {
      memory.peak = detail::saturated_sum(memory.peak, bytes);
    }
    return memory;
  }

 private:
  /// All by which the buffers of ranks differ: rows and columns of the local matrix, how the strips of a Gram nest,
  /// rows or samples, rows of b, residues and their products, and what is kept of an array above its diagonal.
  using Kind = std::tuple<std::int64_t, std::int64_t, detail::Nesting, std::int64_t, std::int64_t, std::int64_t,
                          std::int64_t, std::int64_t>;

  static constexpr std::int64_t size{sizeof(T)};

  /// Rows of A, or samples of J, that are this rank's.
  std::int64_t shard_of(int rank) const { return share_of(shared_out_, rank); }
  std::int64_t rows_of_b(int rank) const { return options_.by_rows ? share_of(n_, rank) : n_; }
  std::int64_t share_of(std::int64_t all, int rank) const {
    return detail::operator_row_begin(all, ranks_, rank + 1) - detail::operator_row_begin(all, ranks_, rank);
  }

  RankMemory buffers_of(const SlabLayout& layout, int rank) const {
    const std::int64_t nrhs = options_.nrhs;
    const detail::Schedule schedule;
    const bool one_call = options_.source != Source::fill;
    RankMemory memory;
    memory.inverses = allocated(detail::Leaves<MemorySpace>(layout.full()).template inverses_size<T>() * size);
    memory.right_hand_sides = allocated(detail::right_hand_sides_bytes<T>(rows_of_b(rank), nrhs));
    if (one_call && !options_.x_replaces_b) {
      const std::int64_t x = detail::saturated_product(detail::saturated_product(rows_of_b(rank), nrhs), size);
      memory.right_hand_sides = detail::saturated_sum(memory.right_hand_sides, allocated(x));
    }
    if (chunks_) {
      memory.redistribute = detail::bytes_of<detail::GramBuffers<T, Exec>, MemorySpace>(
          layout, *chunks_, rank, buffered_, in_place_, gram_moduli_);
    } else if (one_call) {
      memory.redistribute = detail::bytes_of<detail::RedistributeBuffers<T, MemorySpace>, MemorySpace>(
          layout, options_.triangle == Triangle::upper, options_.source == Source::buffered_rows ? shard_of(rank) : 0,
          options_.row_ids);
    }
    memory.factorize = detail::factorize_bytes<T, Exec>(layout, integers_, schedule);
    if (nrhs > 0) {
      const bool deals_out = options_.by_rows && (ranks_ > 1 || options_.row_ids);
      const auto held = deals_out ? std::optional(rows_of_b(rank)) : std::nullopt;
      memory.solve = detail::solve_bytes<T, Exec>(layout, nrhs, schedule, held);
    }
    if (n_ > 0) memory.inverse = detail::inverse_bytes<T, Exec>(layout, schedule);
    return memory;
  }

  std::int64_t n_;
  GridNumbering grid_;
  int ranks_;
  const MemoryPlanOptions& options_;
  detail::Integers integers_;
  std::int64_t shared_out_ = n_;  // rows or samples of all ranks
  std::optional<detail::GramChunks> chunks_;
  bool buffered_ = false;
  bool in_place_ = false;
  int gram_moduli_ = 0;
  std::map<Kind, RankMemory> by_kind_;
};

template <class T, class Exec>
MemoryPlan plan_with(const detail::Integers& integers, std::int64_t n, GridShape grid,
                     const MemoryPlanOptions& options) {
  SystemMemory<T, Exec> memory(n, grid, options, integers);
  MemoryPlan plan;
  plan.grid = grid;
  plan.tile_size = options.tile_size;
  plan.slab = memory.layout_of(0).slab;
  plan.moduli = integers.moduli;
  plan.integer_columns = integers.columns;
  plan.gram_moduli = memory.gram_moduli();
  for (int rank = 0; rank < grid.rows * grid.cols; ++rank) plan.ranks.push_back(memory.of_rank(rank));
  require_countable(plan, n, options);
  plan.fits = !options.bytes_free || plan.peak() <= *options.bytes_free;
  return plan;
}

/// Whether each rank has memory for a phase, which knows nothing of what comes before and after it: in a call
/// right-hand sides are there.
bool has_room_for(std::int64_t RankMemory::*phase, const MemoryPlan& plan, const MemoryPlanOptions& options) {
  const auto has_room = [&](const RankMemory& rank) {
    const std::int64_t right_hand_sides = options.source == Source::fill ? 0 : rank.right_hand_sides;
    return detail::saturated_sum(detail::saturated_sum(rank.matrix, rank.inverses),
                                 detail::saturated_sum(right_hand_sides, rank.*phase)) <= *options.bytes_free;
  };
  return !options.bytes_free || std::all_of(plan.ranks.begin(), plan.ranks.end(), has_room);
}

/// With as many columns by integers as a call with that much memory has.
template <class T, class Exec>
MemoryPlan plan_for(std::int64_t n, GridShape grid, const MemoryPlanOptions& options) {
  using MemorySpace = typename Exec::memory_space;
  const int moduli = detail::moduli_for<T, Exec>(options.arithmetic, options.moduli, n, grid.rows * grid.cols);
  const auto plan_of = [&](const detail::Integers& integers) { return plan_with<T, Exec>(integers, n, grid, options); };
  MemoryPlan plan = plan_of(moduli > 0 ? detail::Integers{moduli, n} : detail::Integers{});
  if (moduli == 0 || has_room_for(&RankMemory::factorize, plan, options)) return plan;
  const SlabLayout layout = SystemMemory<T, Exec>(n, grid, options, {}).layout_of(0);
  const detail::Integers integers = detail::integers_that_fit<MemorySpace>(
      layout, moduli, n,
      [&](const detail::Integers& some) { return has_room_for(&RankMemory::factorize, plan_of(some), options); });
  return plan_of(detail::worthwhile<MemorySpace>(options.arithmetic, integers, n));
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
namespace {

void require_source(Source source) {
  switch (source) {
    case Source::fill:
    case Source::rows:
    case Source::buffered_rows:
    case Source::gram:
    case Source::buffered_gram:
      return;
  }
  throw_misuse("source", "must be fill, rows, buffered_rows, gram or buffered_gram, got " +
                             std::to_string(static_cast<int>(source)));
}

/// What the calls of a source take; the plan has it that a device can do the one launch.
template <class T, class Exec>
std::int64_t tile_size_of(std::int64_t n, GridShape grid, const MemoryPlanOptions& options) {
  const bool one_call = options.source == Source::rows || options.source == Source::buffered_rows;
  if (one_call && !options.inverse && options.tile_size == 0 &&
      is_for_one_device<T, Exec>(n, options.nrhs, grid, options.arithmetic, options.moduli)) {
    return n;
  }
  return tile_size_for<T, typename Exec::memory_space>(options.tile_size, n + options.reserve, grid);
}

}  // namespace

template <class T, class Exec>
MemoryPlan plan_memory(std::int64_t n, GridShape grid, const MemoryPlanOptions& options) {
  if (std::int64_t{grid.rows} * grid.cols > std::numeric_limits<int>::max()) {
    throw_misuse("grid",
                 "has more ranks than an int holds: " + std::to_string(grid.rows) + " x " + std::to_string(grid.cols));
  }
  require_grid("grid", grid, std::max(1, grid.rows) * std::max(1, grid.cols));
  if (options.tile_size < 0) {
    throw_misuse("tile_size", "extent must not be negative, got " + std::to_string(options.tile_size));
  }
  require_dimensions(n, options.tile_size, options.slab, options.reserve);
  if (options.nrhs < 0) throw_misuse("nrhs", "must not be negative, got " + std::to_string(options.nrhs));
  if (options.depth < 0 || options.depth > most_terms) {
    throw_misuse("depth", "must be from 0 to 2^40, got " + std::to_string(options.depth));
  }
  require_gram_options(options.gram, largest_real<T>);
  require_triangle(options.triangle);
  require_arithmetic(options.arithmetic, options.moduli);
  require_bytes_free(options.bytes_free);
  require_source(options.source);
  require_grid_order("order", options.order);
  if (options.adopted && (options.tile_size == 0 || options.slab > 0 || options.reserve > 0)) {
    throw_misuse("adopted", "takes a tile_size, and neither slab nor reserve, got " +
                                std::to_string(options.tile_size) + ", " + std::to_string(options.slab) + " and " +
                                std::to_string(options.reserve));
  }
  if (options.adopted && options.source != Source::fill) {
    throw_misuse("adopted", "is for Source::fill, got " + std::to_string(static_cast<int>(options.source)));
  }

  MemoryPlanOptions asked = options;
  asked.gram = in_call(options.gram, options.arithmetic, options.moduli);
  asked.tile_size = tile_size_of<T, Exec>(n, grid, asked);
  MemoryPlan plan = plan_for<T, Exec>(n, grid, asked);
  if (plan.gram_moduli > 0 && asked.gram.arithmetic == Arithmetic::fastest &&
      !has_room_for(&RankMemory::redistribute, plan, options)) {
    asked.gram.arithmetic = Arithmetic::native;
    plan = plan_for<T, Exec>(n, grid, asked);
  }
  if (plan.moduli == 0 && options.arithmetic == Arithmetic::fastest) {  // one device may take all then
    asked.arithmetic = Arithmetic::native;
    asked.tile_size = options.tile_size;
    asked.tile_size = tile_size_of<T, Exec>(n, grid, asked);
    plan = plan_for<T, Exec>(n, grid, asked);
  }
  // Narrower slabs store less above the diagonal, smaller tiles have smaller slots; each makes the products narrower.
  constexpr std::int64_t least_tile = 32;
  while (!plan.fits && n > 0) {
    const bool slab_is_free = options.slab == 0 && options.source == Source::fill && !options.adopted;
    if (slab_is_free && plan.slab > asked.tile_size) {
      asked.slab = std::max(asked.tile_size, plan.slab / 2);
    } else if (options.tile_size == 0 && asked.tile_size > least_tile) {
      asked.tile_size /= 2;
    } else {
      break;
    }
    plan = plan_for<T, Exec>(n, grid, asked);
  }
  const SlabLayout layout =
      make_layout<T, typename Exec::memory_space>(grid, 0, n, asked.tile_size, asked.slab, asked.reserve);
  plan.sent = traffic_of_ranks<T, typename Exec::memory_space>({grid, options.order}, layout, plan.moduli,
                                                               Schedule().chunk_rows);
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

#pragma once

#include <tessera/detail/backends.hpp>
#include <tessera/gram.hpp>
#include <tessera/options.hpp>
#include <tessera/scalar.hpp>

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace tessera {

/// Where A comes from.
enum class Source {
  fill,           ///< ShardedMatrix::fill, then factorize and solve
  rows,           ///< cholesky_distributed, rows in memory that exec can read
  buffered_rows,  ///< cholesky_distributed, rows in other memory, or an operator; as many on each rank
  gram,           ///< cholesky_distributed of a Gram, J a View<T**> that exec can read; as many samples on each rank
  buffered_gram   ///< the same, J in other memory, or an operator
};

/// What is to be solved, as far as memory is concerned.
struct MemoryPlanOptions {
  std::int64_t nrhs = 1;
  std::int64_t tile_size = 0;  ///< 0: default_tile_size
  std::int64_t slab = 0;       ///< of ShardedMatrix; 0: the default
  Source source = Source::fill;
  Triangle triangle = Triangle::lower;
  GramOptions gram = {};   ///< of a Gram
  std::int64_t depth = 0;  ///< of a Gram: what is summed over, parameters for J J^H, samples for J^H J
  std::optional<std::int64_t> bytes_free = std::nullopt;  ///< on each rank: where a size is 0, the largest that fits
};

/// Bytes on one rank.
struct RankMemory {
  std::int64_t matrix = 0;            ///< the tiles, and then the factor
  std::int64_t inverses = 0;          ///< of diagonal blocks, which the factor keeps on a device
  std::int64_t right_hand_sides = 0;  ///< a copy of b, and, in cholesky_distributed, x
  std::int64_t redistribute = 0;      ///< buffers of rows, or of J, while A is taken in
  std::int64_t factorize = 0;         ///< the slots, while A is factored
  std::int64_t solve = 0;             ///< y, and what travels, during a solve
  std::int64_t peak = 0;              ///< the most at any time
};

/// What one rank sends while A is factored. Long messages are handed to MPI in parts.
struct RankTraffic {
  std::int64_t messages = 0;
  std::int64_t bytes = 0;
};

/// What a solve needs, and the sizes that it is for.
struct MemoryPlan {
  GridShape grid;
  std::int64_t tile_size = 0;
  std::int64_t slab = 0;
  bool fits = true;  ///< in bytes_free, if that was given
  std::vector<RankMemory> ranks;
  std::vector<RankTraffic> sent;  ///< by each rank, in the factorisation

  std::int64_t peak() const;   ///< on the rank that needs the most
  std::int64_t total() const;  ///< the sum of the peaks
};

namespace detail {
template <class T, class Exec>
MemoryPlan plan_memory(std::int64_t n, GridShape grid, const MemoryPlanOptions& options);
template <class T, class Exec>
MemoryPlan plan_memory(std::int64_t n, int ranks, const MemoryPlanOptions& options);
}  // namespace detail

/// The bytes that Tessera will allocate for an n x n system of scalar T on a grid, or on so many ranks on the most
/// nearly square one, in the memory of `Exec`. The caller's own A and b are not counted.
///
/// The matrix is about n*n/2 numbers in all; the slots are (P > 1) rows of L, n / Q numbers wide, and (Q > 1) block
/// columns, n / P numbers high, on a P x Q grid: 3 of each, or 2 where Q = 1. A rank sends and receives about
/// n*n (P + Q - 2) / (2 P Q) numbers: each number of L goes once to each other process row that has rows below it, and
/// each number of A once, as a sum, to each other process column that has something to add to it. Local; needs neither
/// MPI nor Kokkos to be running. Throws std::invalid_argument for sizes that are none.
template <Scalar T, class Exec = Kokkos::DefaultExecutionSpace>
MemoryPlan memory_plan(std::int64_t n, GridShape grid, const MemoryPlanOptions& options = {}) {
  detail::require_backend<Exec>();
  return detail::plan_memory<T, Exec>(n, grid, options);
}

template <Scalar T, class Exec = Kokkos::DefaultExecutionSpace>
MemoryPlan memory_plan(std::int64_t n, int ranks, const MemoryPlanOptions& options = {}) {
  detail::require_backend<Exec>();
  return detail::plan_memory<T, Exec>(n, ranks, options);
}

}  // namespace tessera

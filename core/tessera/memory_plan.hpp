// SPDX-License-Identifier: BSD-3-Clause
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
/// @addtogroup plan
/// @{

/// Where A comes from, and by which calls it is solved.
enum class Source {
  fill,           ///< ShardedMatrix::fill, then factorize and CholeskyFactor::solve
  rows,           ///< cholesky_distributed with a View of rows that `exec` can access
  buffered_rows,  ///< cholesky_distributed with a View of rows in other memory, or an operator
  gram,           ///< cholesky_distributed with a Gram of a View<T**> that `exec` can access
  buffered_gram   ///< cholesky_distributed with a Gram of a View in other memory, or of an operator
};

/// The system that memory_plan plans for. Ranks have equally many rows, of A and in ByRows, or samples, up to one.
struct MemoryPlanOptions {
  std::int64_t nrhs = 1;                ///< right-hand sides
  bool by_rows = false;                 ///< whether these are ByRows
  std::int64_t tile_size = 0;           ///< rows and columns of a tile; 0: what the calls of `source` take
  std::int64_t slab = 0;                ///< as for ShardedMatrix; 0: its default
  std::int64_t reserve = 0;             ///< as for ShardedMatrix
  Source source = Source::fill;         ///< where A comes from
  Triangle triangle = Triangle::lower;  ///< which triangle of the rows is read
  bool row_ids = false;                 ///< whether rows, of A and in ByRows, have ids in another order than the ranks'
  GramOptions gram = {};                ///< options of a Gram, for which `arithmetic` counts as in the call
  /// Of a Gram, at most 2^40: the parameters for J J^H, the samples of all ranks for J^H J.
  std::int64_t depth = 0;
  /// Free memory of each rank. If it is too little, only as many columns are multiplied by integers as fit, and then
  /// the slab (for Source::fill) and then the tile are halved until the plan fits; a size that was given stays.
  std::optional<std::int64_t> bytes_free = std::nullopt;
  /// As CholeskyOptions::arithmetic. Of Arithmetic::fastest the plan, which knows no device, makes `integer` or
  /// `native`, as MemoryPlan::moduli says: ask for that one then, and of a Gram as MemoryPlan::gram_moduli says.
  Arithmetic arithmetic = Arithmetic::native;
  int moduli = 0;                          ///< as CholeskyOptions::moduli
  bool inverse = false;                    ///< whether RankMemory::peak counts inverse_diagonal and invert
  GridOrder order = GridOrder::row_major;  ///< of the ranks in the grid
  /// Whether the matrix is the caller's array, by ShardedMatrix::adopt: its tiles are not counted. It takes a
  /// tile_size, Source::fill, and neither slab nor reserve.
  bool adopted = false;
  bool x_replaces_b = false;  ///< whether x takes no memory but that of the caller's b, as in calls from C and Python
};

/// Bytes that one rank allocates. The buffers of all phases share memory.
struct RankMemory {
  std::int64_t matrix = 0;            ///< the tiles of A, in which the factor replaces it, with what is reserved
  std::int64_t inverses = 0;          ///< inverses of diagonal blocks, for which a matrix on a device has room
  std::int64_t right_hand_sides = 0;  ///< a copy of b here and, in cholesky_distributed, x
  std::int64_t redistribute = 0;      ///< buffers for rows, or for J, while A is taken in
  std::int64_t factorize = 0;         ///< buffers of the factorisation: mainly its slots, or residues
  std::int64_t solve = 0;             ///< buffers of a solve or its halves; products may take 32 MiB more on a device
  std::int64_t inverse = 0;           ///< buffers of inverse_diagonal and of invert, the larger ones
  std::int64_t peak = 0;              ///< the most at any time
};

/// What one rank sends during a factorisation, without the few numbers of collective MPI calls.
struct RankTraffic {
  std::int64_t messages = 0;  ///< a long one counts once, though MPI gets it in parts
  std::int64_t bytes = 0;     ///< of all messages
};

/// What memory_plan returns: what a system needs, and with which sizes.
struct MemoryPlan {
  GridShape grid;                    ///< the process grid
  std::int64_t tile_size = 0;        ///< rows and columns of a tile
  std::int64_t slab = 0;             ///< local columns per slab
  int moduli = 0;                    ///< of integer products; 0: they are native
  int gram_moduli = 0;               ///< the same of those that assemble a Gram
  std::int64_t integer_columns = 0;  ///< CholeskyInfo::integer_columns, of calls whose bytes_free is that of the plan
  bool fits = true;                  ///< whether peak() is at most bytes_free, if that was given
  std::vector<RankMemory> ranks;     ///< what each rank allocates
  std::vector<RankTraffic> sent;     ///< what each rank sends during the factorisation

  std::int64_t peak() const;   ///< RankMemory::peak of the rank that needs the most
  std::int64_t total() const;  ///< the sum of RankMemory::peak over the ranks
};

namespace detail {
template <class T, class Exec>
MemoryPlan plan_memory(std::int64_t n, GridShape grid, const MemoryPlanOptions& options);
template <class T, class Exec>
MemoryPlan plan_memory(std::int64_t n, int ranks, const MemoryPlanOptions& options);
}  // namespace detail

/// The bytes that Tessera allocates for an n x n system of scalar T on a process grid, in the memory of `Exec`. The
/// caller's own A and b are not counted.
///
/// The matrix takes about n*n/2 numbers over all ranks. On a P x Q grid a factorisation has 3 steps in flight, or 2 if
/// Q = 1. Each has a slot: if P > 1, for rows of L, n / Q numbers each; if Q > 1, for the sum of a block column, n / P
/// numbers high. A rank sends and receives about n*n (P + Q - 2) / (2 P Q) numbers: each element of L goes once to each
/// other process row that has rows below it, and each element of A, as a partial sum, once to each other process column
/// that adds to it. inverse_diagonal sends as much once more, and invert twice as much.
///
/// CholeskyFactor::append of k rows takes at most what a solve of min(k, 256) right-hand sides with the larger factor
/// does, and on a device 32 MiB more: ask for that one, with a reserve that is k less.
///
/// Local; needs neither MPI nor Kokkos to be initialised.
/// @throws std::invalid_argument for sizes or options that are invalid, or lead to more bytes than a std::int64_t holds
template <Scalar T, class Exec = Kokkos::DefaultExecutionSpace>
MemoryPlan memory_plan(std::int64_t n, GridShape grid, const MemoryPlanOptions& options = {}) {
  detail::require_backend<Exec>();
  return detail::plan_memory<T, Exec>(n, grid, options);
}

/// The same on the grid nearly_square(ranks).
/// @throws std::invalid_argument for sizes or options that are invalid, or lead to more bytes than a std::int64_t holds
template <Scalar T, class Exec = Kokkos::DefaultExecutionSpace>
MemoryPlan memory_plan(std::int64_t n, int ranks, const MemoryPlanOptions& options = {}) {
  detail::require_backend<Exec>();
  return detail::plan_memory<T, Exec>(n, ranks, options);
}

/// @}
}  // namespace tessera

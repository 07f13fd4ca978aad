// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/matrix/leaves.hpp"
#include "core/solve/buffers.hpp"
#include "core/solve/right_hand_sides.hpp"
#include "core/solve/sweep.hpp"
#include "core/timed.hpp"
#include "core/tuning.hpp"
#include "kernels/blas.hpp"
#include "tessera/cholesky_factor.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tessera::detail {

/// Sweeps of n x nrhs right-hand sides over L. L stays where it is; partial sums travel, each along a process row or
/// column to the owner of a diagonal tile, always in the same order.
///
/// A sweep divides the tiles in two again and again: solve for one part, subtract it from the other in one large
/// product, solve for that. One that multiplies begins at the other end: each product then reads what is still as it
/// was, also in place.
template <class T, class Exec>
class Sweeps {
 public:
  using MemorySpace = typename Exec::memory_space;
  using View = MatrixView<T, MemorySpace>;
  using Buffers = SolveBuffers<T, Exec>;
  using Chunk = typename RightHandSides<T, Exec>::Chunk;

  Sweeps(const Exec& exec, const std::vector<Sweep>& sweeps, const CholeskyFactor<T, MemorySpace>& factor,
         const View& b, const RowShards& shards, const Buffers& buffers, Memory<MemorySpace>& memory)
      : sweeps_(sweeps),
        l_(factor.matrix()),
        leaves_(l_.layout()),
        inverses_(l_.leaf_inverses()),
        rows_(l_.rows()),
        columns_(l_.columns()),
        substitution_(buffers.substitution),
        queue_(exec, buffers.blas, memory.blas_handles.updates),
        x_(exec, l_, b, shards, buffers, memory) {}

  void run() {
    x_.run_for_chunks([&](TaskList& tasks, const ChunkPointer& chunk) {
      x_.take_in(tasks, chunk, sweeps_.front());
      for (const Sweep& sweep : sweeps_) {
        tasks.then([this, chunk, &sweep] { x_.clear_shares(*chunk, sweep); });
        sweep.solves() ? solve_all(tasks, chunk, sweep) : multiply_all(tasks, chunk, sweep);
      }
      x_.give_back(tasks, chunk, sweeps_.back());
    });
  }

  /// The sweeps, which solve, over all unit vectors: those of some leaves at a time, which `take(chunk)` has then, in
  /// order. It may change the columns of L at which its chunk's vectors begin: what comes later does not need them.
  template <class Take>
  void run_on_units(const Take& take) {
    std::vector<LeafRange> parts;
    for (LeafRange part{0, 0}; part.begin < leaf_count(); part.begin = part.end) {
      while (part.end < leaf_count() && rows_.extent_of(tiles_of({part.begin, part.end + 1})) <= x_.chunk_size()) {
        ++part.end;
      }
      parts.push_back(part);
    }
    const auto make = [&](std::int64_t i, int slot) {
      const LeafRange& part = parts[static_cast<std::size_t>(i)];
      const std::int64_t begin = slot * x_.chunk_size();
      return Chunk{begin, begin + rows_.extent_of(tiles_of(part)), slot, part.begin};
    };
    GlobalIndex next{0};
    x_.run_for_chunks(static_cast<std::int64_t>(parts.size()), make, [&](TaskList& tasks, const ChunkPointer& chunk) {
      tasks.then([this, chunk] { x_.take_in_units(*chunk, sweeps_.front()); });
      for (const Sweep& sweep : sweeps_) {
        tasks.then([this, chunk, &sweep] { x_.clear_shares(*chunk, sweep); });
        solve_all(tasks, chunk, sweep);
      }
      tasks.when([this, chunk, &next] { return x_.first_unit(*chunk) == next; },
                 [this, chunk, &take, &next] {
                   take(*chunk);
                   next = x_.end_of_units(*chunk);
                 });
    });
  }

  RightHandSides<T, Exec>& right_hand_sides() { return x_; }

 private:
  using ChunkPointer = typename RightHandSides<T, Exec>::ChunkPointer;

  struct LeafRange {
    std::int64_t begin;
    std::int64_t end;
    std::int64_t size() const { return end - begin; }
  };

  std::int64_t leaf_count() const { return static_cast<std::int64_t>(leaves_.all().size()); }
  LeafRange leaves_of(const Chunk& chunk) const { return {chunk.unit_leaf.value_or(0), leaf_count()}; }
  TileRange leaf(std::int64_t i) const { return leaves_.all()[static_cast<std::size_t>(i)]; }
  TileRange tiles_of(const LeafRange& leaves) const { return {leaf(leaves.begin).begin, leaf(leaves.end - 1).end}; }

  void solve_all(TaskList& tasks, const ChunkPointer& chunk, const Sweep& sweep) {
    sweep_over(tasks, chunk, sweep, leaves_of(*chunk), [&](std::int64_t i) {
      x_.settle(tasks, chunk, sweep, leaf(i), [this, op = sweep.op(), i](const View& sum) { divide(op, i, sum); });
    });
  }

  void multiply_all(TaskList& tasks, const ChunkPointer& chunk, const Sweep& sweep) {
    sweep_over(tasks, chunk, sweep, {0, leaf_count()}, [&](std::int64_t i) {
      if (!x_.owns(leaf(i))) return;
      tasks.then([this, chunk, &sweep, i] { multiply(sweep.op(), i, x_.sides(*chunk, sweep, leaf(i)).first); });
    });
    for (const TileRange k : leaves_.all()) x_.settle(tasks, chunk, sweep, k, [](const View&) {});
  }

  /// The leaves of a range, in the order of the sweep: one part, its products with the other part's rows, that part.
  template <class Visit>
  void sweep_over(TaskList& tasks, const ChunkPointer& chunk, const Sweep& sweep, const LeafRange& leaves,
                  const Visit& visit) {
    if (leaves.size() == 0) return;
    if (leaves.size() == 1) return visit(leaves.begin);
    const std::int64_t middle = middle_of(leaves);
    const LeafRange upper{leaves.begin, middle};
    const LeafRange lower{middle, leaves.end};
    const auto [first, second] = sweep.in_order(upper, lower);
    sweep_over(tasks, chunk, sweep, first, visit);
    add_products(tasks, chunk, sweep, tiles_of(lower), tiles_of(upper));
    sweep_over(tasks, chunk, sweep, second, visit);
  }

  /// Where it is divided: in halves; but on a host's only rank, where nobody waits for a solution, behind the first
  /// slab, as a product with all of a slab is one call; unless slabs are so many that the recursion would be deep.
  std::int64_t middle_of(const LeafRange& leaves) const {
    if (kernels::is_host<Exec> && rows_.processes * columns_.processes == 1) {
      const SlabLayout& layout = l_.layout();
      const std::int64_t slab = layout.slab_of(columns_.local_begin(leaf(leaves.begin).begin));
      const std::int64_t next = (layout.column_begin(slab + 1).value + columns_.tile - 1) / columns_.tile;
      if (next < leaves.end && layout.count() <= most_slabs) return next;
    }
    return leaves.begin + leaves.size() / 2;
  }

  /// b(i) -= L(i,j) y(j), or y(j) -= L(i,j)^H x(i), for this rank's rows of i and columns of j; where the sweep
  /// multiplies, with a plus.
  void add_products(TaskList& tasks, const ChunkPointer& chunk, const Sweep& sweep, TileRange i, TileRange j) {
    const LocalIndex first = rows_.local_begin(i.begin);
    const LocalIndex last = rows_.local_begin(i.end);
    if (first == last) return;
    const auto add = [&](LocalIndex from, LocalIndex to, GlobalIndex end) {
      const auto [sums, solutions] = x_.sides(*chunk, sweep, first, last, from, to, end);
      tasks.then([this, &sweep, l = l_.view(first, last, from, to), to_sums = sums, from_y = solutions] {
        const Region region("tessera::solve::update");
        const T sign(sweep.solves() ? -1 : 1);
        kernels::gemm<T>(queue_, sign, sweep.op(), l, kernels::Op::none, from_y, T(1), to_sums);
      });
    };
    // Columns at which unit vectors begin have a triangle of numbers that are not left out: some columns at a time.
    const LocalIndex behind = columns_.local_lower_bound(x_.end_of_units(*chunk));
    l_.layout().for_each_slab(
        columns_.local_begin(j.begin), columns_.local_begin(j.end), [&](LocalIndex from, LocalIndex to) {
          while (from < std::min(to, behind)) {
            const LocalIndex next = std::min({from + Tuning<MemorySpace>::inverse_block, to, behind});
            add(from, next, columns_.to_global(next + -1) + 1);
            from = next;
          }
          if (from < to) add(from, to, {rows_.n});
        });
  }

  /// b = L(k,k)^-1 b or L(k,k)^-H b
  void divide(kernels::Op op, std::int64_t index, const View& b) {
    const Region region("tessera::solve::diagonal");
    const View l = diagonal(leaf(index));
    if constexpr (!kernels::is_host<Exec>) {
      const std::int64_t m = rows_.extent_of(leaf(index));
      const kernels::SlabsOfL<T> one{
          {m, m, {{l.data(), static_cast<std::int64_t>(l.stride(1))}}}, m, leaves_.inverses(inverses_, index)};
      kernels::Substitution<Exec>::template run<T>(queue_.exec(), op, one, b, substitution_);
    } else {
      kernels::trsm_left<T>(queue_, op, l, b);
    }
  }

  /// b = L(k,k) b or L(k,k)^H b
  void multiply(kernels::Op op, std::int64_t index, const View& b) {
    const Region region("tessera::solve::diagonal");
    kernels::trmm_left<T>(queue_, op, diagonal(leaf(index)), b);
  }

  View diagonal(TileRange k) const {
    return l_.view(rows_.local_begin(k.begin), rows_.local_begin(k.end), columns_.local_begin(k.begin),
                   columns_.local_begin(k.end));
  }

  static constexpr std::int64_t most_slabs = 256;

  std::vector<Sweep> sweeps_;
  const ShardedMatrix<T, MemorySpace>& l_;
  Leaves<MemorySpace> leaves_;
  T* inverses_;
  BlockCyclic rows_;
  BlockCyclic columns_;
  char* substitution_;
  kernels::Queue<Exec> queue_;
  RightHandSides<T, Exec> x_;
};

}  // namespace tessera::detail

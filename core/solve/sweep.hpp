// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/exchange/ring_sum.hpp"
#include "kernels/op.hpp"
#include "tessera/cholesky_factor.hpp"
#include "tessera/distribution.hpp"
#include "tessera/process_grid.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace tessera::detail {

/// What a sweep over the leaves does with op(L).
enum class SweepKind { solve, multiply };

/// A sweep over the leaves of L, as a rank sees it. Forward, L y = b: sums stand at rows, the sum for a leaf goes along
/// its process row to the leaf's owner, and y from there along the process column. Backward, L^H x = y, it is the same
/// with rows and columns exchanged, and leaves from the last one on.
///
/// A multiplying sweep, b = L y or y = L^H x, has sums and solutions at the same places, but takes the leaves in the
/// opposite order: so it can be in place.
class Sweep {
 public:
  Sweep(const ProcessGrid& grid, const SlabLayout& l, SweepKind kind, kernels::Op op)
      : grid_(grid),
        kind_(kind),
        op_(op),
        sums_(sides(l.rows, l.columns).first),
        solutions_(sides(l.rows, l.columns).second) {}

  kernels::Op op() const { return op_; }
  bool solves() const { return kind_ == SweepKind::solve; }

  /// Whether what it results in comes to all ranks of a process row; else it is on the owner of each leaf alone.
  bool ends_at_rows() const { return solves() && !is_forward(); }

  /// What belongs to the indices at which sums stand, and what to those of solutions.
  template <class X>
  std::pair<X, X> sides(X of_rows, X of_columns) const {
    return is_forward() ? std::pair{of_rows, of_columns} : std::pair{of_columns, of_rows};
  }
  /// The upper and the lower half of the leaves, in the order in which they are taken.
  template <class X>
  std::pair<X, X> in_order(X upper, X lower) const {
    return is_forward() == solves() ? std::pair{upper, lower} : std::pair{lower, upper};
  }

  /// What a rank does for a leaf.
  struct Role {
    bool owns = false;             ///< the sum ends here
    Neighbours sum = {};           ///< ranks; where it owns the leaf or has a share of the sum
    int solution_from = -1;        ///< a rank; where it is neither
    std::vector<int> solution_to;  ///< ranks; of the owner
  };

  /// None, if there is nothing for this rank to do. `first`: the tile at which a forward sweep begins, and a backward
  /// one ends.
  std::optional<Role> role(TileRange leaf, GlobalTile first) const {
    const GlobalTile k = leaf.begin;
    Role role;
    if (sums_.is_mine(k)) {
      role.owns = solutions_.is_mine(k);
      const auto beside =
          ring_neighbours(solutions_.coordinate, solutions_.owner(k), solutions_.processes,
                          [&](int coordinate) { return has_share(solutions_.seen_from(coordinate), leaf, first); });
      if (!beside && !role.owns) return std::nullopt;
      const auto rank = [&](int coordinate) { return coordinate < 0 ? -1 : rank_of(sums_.coordinate, coordinate); };
      if (beside) role.sum = {rank(beside->previous), rank(beside->next)};
    } else if (solutions_.is_mine(k) && wants_solution(sums_, leaf)) {
      role.solution_from = rank_of(sums_.owner(k), solutions_.coordinate);
    } else {
      return std::nullopt;
    }
    for (int other = 0; role.owns && other < sums_.processes; ++other) {
      if (other != sums_.coordinate && wants_solution(sums_.seen_from(other), leaf)) {
        role.solution_to.push_back(rank_of(other, solutions_.coordinate));
      }
    }
    return role;
  }

 private:
  bool is_forward() const { return op_ == kernels::Op::none; }

  int rank_of(int at_sums, int at_solutions) const {
    const auto [row, col] = is_forward() ? std::pair{at_sums, at_solutions} : std::pair{at_solutions, at_sums};
    return grid_.rank_of(row, col);
  }
  /// Whether a process has something to add to a leaf: L(leaf, left) or L(below, leaf).
  bool has_share(const BlockCyclic& solutions, TileRange leaf, GlobalTile first) const {
    return is_forward() ? solutions.local_begin(first) < solutions.local_begin(leaf.begin)
                        : solutions.local_extent_from(leaf.end) > 0;
  }
  /// Whether a process goes on with the solution: from rows below; x is wanted everywhere, and a product nowhere.
  bool wants_solution(const BlockCyclic& sums, TileRange leaf) const {
    return solves() && (!is_forward() || sums.local_extent_from(leaf.end) > 0);
  }

  const ProcessGrid& grid_;
  SweepKind kind_;
  kernels::Op op_;
  BlockCyclic sums_;
  BlockCyclic solutions_;
};

/// What an operation does, one after the other.
inline std::vector<Sweep> sweeps_of(FactorOperation operation, const ProcessGrid& grid, const SlabLayout& l) {
  const auto sweep = [&](SweepKind kind, kernels::Op op) { return Sweep(grid, l, kind, op); };
  switch (operation) {
    case FactorOperation::solve:
      return {sweep(SweepKind::solve, kernels::Op::none), sweep(SweepKind::solve, kernels::Op::conj_transpose)};
    case FactorOperation::solve_lower:
      return {sweep(SweepKind::solve, kernels::Op::none)};
    case FactorOperation::solve_upper:
      return {sweep(SweepKind::solve, kernels::Op::conj_transpose)};
    case FactorOperation::multiply_lower:
      return {sweep(SweepKind::multiply, kernels::Op::none)};
    case FactorOperation::multiply_upper:
      return {sweep(SweepKind::multiply, kernels::Op::conj_transpose)};
  }
  return {};
}

}  // namespace tessera::detail

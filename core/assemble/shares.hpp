// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/distribution.hpp"
#include "tessera/process_grid.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

// Which indices of a matrix two processes share that have them by different distributions.
namespace tessera::detail {

/// One dimension of a matrix that is part of a block-cyclic array.
struct ArrayAxis {
  BlockCyclic array;       ///< with processes counted from the source on
  int source = 0;          ///< the process that has the array's first block
  std::int64_t first = 0;  ///< the array's index where the matrix begins

  /// As process `coordinate` sees an array of n indices.
  static ArrayAxis make(std::int64_t n, std::int64_t block, int processes, int coordinate, int source,
                        std::int64_t first) {
    return {{n, block, processes, (coordinate - source + processes) % processes}, source, first};
  }

  int owner(std::int64_t i) const { return (array.owner(tile_of(i)) + source) % array.processes; }
  bool is_mine(std::int64_t i) const { return array.is_mine(tile_of(i)); }
  std::int64_t local(std::int64_t i) const { return array.to_local(GlobalIndex{i + first}).value; }

 private:
  GlobalTile tile_of(std::int64_t i) const { return array.tile_of(GlobalIndex{i + first}); }
};

/// A distribution of an n x n matrix over a grid, as one process sees it: how its rows and columns are dealt out.
struct Side {
  GridNumbering grid;
  ArrayAxis rows;
  ArrayAxis columns;
  bool transposed = false;  ///< rows of the matrix go by process columns

  int row_process(int rank) const { return transposed ? grid.col_of(rank) : grid.row_of(rank); }
  int column_process(int rank) const { return transposed ? grid.row_of(rank) : grid.col_of(rank); }
};

/// Positions in a list.
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  std::int64_t size() const { return end - begin; }
};

/// The indices from 0 to n - 1 that this process has, by the process that has them in another distribution: each one's
/// in order.
class Shares {
 public:
  Shares(std::int64_t n, const ArrayAxis& mine, const ArrayAxis& theirs)
      : begins_(static_cast<std::size_t>(theirs.array.processes) + 1) {
    for (std::int64_t i = 0; i < n; ++i) {
      if (mine.is_mine(i)) ++begins_[static_cast<std::size_t>(theirs.owner(i)) + 1];
    }
    for (std::size_t p = 1; p < begins_.size(); ++p) begins_[p] += begins_[p - 1];
    global_.resize(static_cast<std::size_t>(begins_.back()));
    local_.resize(global_.size());
    std::vector<std::int64_t> next = begins_;
    for (std::int64_t i = 0; i < n; ++i) {
      if (!mine.is_mine(i)) continue;
      const auto at = static_cast<std::size_t>(next[static_cast<std::size_t>(theirs.owner(i))]++);
      global_[at] = static_cast<std::int32_t>(i);
      local_[at] = static_cast<std::int32_t>(mine.local(i));
    }
  }

  const std::vector<std::int32_t>& global() const { return global_; }  ///< in the matrix
  const std::vector<std::int32_t>& local() const { return local_; }    ///< in this process's part of the array

  /// Those that `process` has.
  Range of(int process) const {
    const auto p = static_cast<std::size_t>(process);
    return {begins_[p], begins_[p + 1]};
  }
  /// Of a range of one process, those from index `i` of the matrix on.
  Range from(const Range& range, std::int64_t i) const { return {lower_bound(global_, range, i), range.end}; }
  /// The same up to index `i` of this process's part.
  Range up_to_local(const Range& range, std::int64_t i) const { return {range.begin, lower_bound(local_, range, i)}; }

 private:
  static std::int64_t lower_bound(const std::vector<std::int32_t>& list, const Range& range, std::int64_t i) {
    return std::lower_bound(list.begin() + range.begin, list.begin() + range.end, i) - list.begin();
  }

  std::vector<std::int64_t> begins_;  // of each process, and behind the last one
  std::vector<std::int32_t> global_;
  std::vector<std::int32_t> local_;
};

}  // namespace tessera::detail

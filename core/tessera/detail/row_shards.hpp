// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/detail/agreement.hpp>
#include <tessera/detail/strided.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tessera::detail {

/// Which rows of A or of b each rank has. They are counted rank after rank; their numbers may be others.
struct RowShards {
  std::vector<std::int64_t> begins = {};   ///< of each rank, and behind the last one; empty, if every rank has all rows
  std::vector<std::int64_t> numbers = {};  ///< the global number of each row; empty, where they are counted by it

  bool by_rows() const { return !begins.empty(); }
  std::int64_t begin(int rank) const { return begins[static_cast<std::size_t>(rank)]; }
  std::int64_t end(int rank) const { return begins[static_cast<std::size_t>(rank) + 1]; }
  std::int64_t rows(int rank) const { return end(rank) - begin(rank); }
  std::int64_t all() const { return begins.back(); }
  bool in_order() const { return numbers.empty(); }
  std::int64_t number(std::int64_t row) const { return in_order() ? row : numbers[static_cast<std::size_t>(row)]; }
};

/// Collective. Those of ranks of which each has so many `rows`, this one these.
RowShards row_shards(const Communicator& communicator, std::int64_t rows);

/// Collective. Row k of this rank is row mine[k] of `argument`, A or b. Throws Misuse, the same on every rank, unless
/// that is a permutation of 0..n-1 over all of them.
void number_rows(const Communicator& communicator, RowShards& shards, const std::vector<std::int64_t>& mine,
                 std::int64_t n, const std::string& argument);

/// Throws Misuse, the same on every rank, if they have not n rows of `argument` in all.
void require_all_rows(const RowShards& shards, std::int64_t n, const std::string& argument);

/// What all ranks must agree on of a View of some rows, with their numbers or not.
template <class T>
std::string describe_rows(const Strided<T>& rows, bool have_ids) {
  const std::string rank =
      (have_ids ? "rows with ids of a View of rank " : "rows of a View of rank ") + std::to_string(rows.rank);
  return rows.rank == 1 ? rank : rank + " with " + std::to_string(rows.extent[1]) + " columns";
}

}  // namespace tessera::detail

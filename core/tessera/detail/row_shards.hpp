#pragma once

#include <tessera/detail/agreement.hpp>
#include <tessera/detail/strided.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tessera::detail {

/// Which rows of b each rank has.
struct RowShards {
  std::vector<std::int64_t> begins = {};  ///< of each rank, and behind the last one; empty, if every rank has all rows

  bool by_rows() const { return !begins.empty(); }
  std::int64_t begin(int rank) const { return begins[static_cast<std::size_t>(rank)]; }
  std::int64_t end(int rank) const { return begins[static_cast<std::size_t>(rank) + 1]; }
  std::int64_t rows(int rank) const { return end(rank) - begin(rank); }
  std::int64_t all() const { return begins.back(); }
};

/// Collective. Those of ranks of which each has so many `rows`, this one these.
RowShards row_shards(const Communicator& communicator, std::int64_t rows);

/// Throws Misuse, the same on every rank, if they have not n rows in all.
void require_all_rows(const RowShards& shards, std::int64_t n);

/// What all ranks must agree on of a View of some rows.
template <class T>
std::string describe_rows(const Strided<T>& rows) {
  const std::string rank = "rows of a View of rank " + std::to_string(rows.rank);
  return rows.rank == 1 ? rank : rank + " with " + std::to_string(rows.extent[1]) + " columns";
}

}  // namespace tessera::detail

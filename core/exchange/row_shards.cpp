// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/detail/row_shards.hpp"

#include "core/exchange/communicator.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>

namespace tessera::detail {
namespace {

/// Throws Misuse unless the numbers are a permutation of 0..n-1.
void require_permutation(const RowShards& shards, std::int64_t n, const std::string& argument) {
  std::vector<std::int64_t> row_of(static_cast<std::size_t>(n), -1);
  const auto where = [&](std::int64_t row) {
    const auto after = std::upper_bound(shards.begins.begin(), shards.begins.end(), row);
    const auto rank = after - shards.begins.begin() - 1;
    return "rank " + std::to_string(rank) + " in its row " +
           std::to_string(row - shards.begins[static_cast<std::size_t>(rank)]);
  };
  for (std::int64_t row = 0; row < shards.all(); ++row) {
    const std::int64_t number = shards.number(row);
    if (number < 0 || number >= n) {
      throw_misuse(argument, "must be from 0 to n - 1 = " + std::to_string(n - 1) + ", " + where(row) + " has " +
                                 std::to_string(number));
    }
    std::int64_t& first = row_of[static_cast<std::size_t>(number)];
    if (first >= 0) {
      throw_misuse(argument,
                   "must be different, " + where(first) + " and " + where(row) + " have " + std::to_string(number));
    }
    first = row;
  }
  const auto missing = std::find(row_of.begin(), row_of.end(), -1);
  if (missing != row_of.end()) {
    throw_misuse(argument, "no rank has " + std::to_string(missing - row_of.begin()) + ": there are " +
                               std::to_string(shards.all()) + " in all, but n is " + std::to_string(n));
  }
}

}  // namespace

RowShards row_shards(const Communicator& communicator, std::int64_t rows) {
  RowShards shards;
  collectively(communicator, [&] {
    if (rows > std::numeric_limits<std::int32_t>::max()) {  // so that sums over the ranks stay exact
      throw_misuse("b", "must have fewer than 2^31 rows on a rank, got " + std::to_string(rows));
    }
    shards.begins.resize(static_cast<std::size_t>(communicator.size()) + 1);
  });
  communicator.all_gather(rows, shards.begins.data() + 1);
  std::partial_sum(shards.begins.begin(), shards.begins.end(), shards.begins.begin());
  return shards;
}

void number_rows(const Communicator& communicator, RowShards& shards, const std::vector<std::int64_t>& mine,
                 std::int64_t n, const std::string& argument) {
  const int me = communicator.rank();
  const std::string name = "ids of " + argument;
  collectively(communicator, [&] {
    const auto count = static_cast<std::int64_t>(mine.size());
    if (count != shards.rows(me)) {
      throw_misuse(name, "must be as many as the rows, rank " + std::to_string(me) + " has " + std::to_string(count) +
                             " for " + std::to_string(shards.rows(me)) + " rows");
    }
    shards.numbers.resize(static_cast<std::size_t>(shards.all()));
    std::copy(mine.begin(), mine.end(), shards.numbers.begin() + shards.begin(me));
  });
  for (int rank = 0; rank < communicator.size(); ++rank) {
    communicator.broadcast(shards.numbers.data() + shards.begin(rank),
                           shards.rows(rank) * std::int64_t{sizeof(std::int64_t)}, rank);
  }
  collectively(communicator, [&] { require_permutation(shards, n, name); });
  if (std::is_sorted(shards.numbers.begin(), shards.numbers.end())) shards.numbers.clear();
}

void require_all_rows(const RowShards& shards, std::int64_t n, const std::string& argument) {
  if (!shards.by_rows() || shards.all() == n) return;
  throw_misuse(argument,
               "the ranks hold " + std::to_string(shards.all()) + " rows in all, but n is " + std::to_string(n));
}

}  // namespace tessera::detail

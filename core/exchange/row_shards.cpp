#include "tessera/detail/row_shards.hpp"

#include "core/exchange/communicator.hpp"

#include <cstddef>
#include <limits>
#include <numeric>

namespace tessera::detail {

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

void require_all_rows(const RowShards& shards, std::int64_t n) {
  if (!shards.by_rows() || shards.all() == n) return;
  throw_misuse("b", "the ranks hold " + std::to_string(shards.all()) + " rows in all, but n is " + std::to_string(n));
}

}  // namespace tessera::detail

// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/detail/rank_sum.hpp"

#include "core/exchange/communicator.hpp"

#include <cstddef>
#include <vector>

namespace tessera::detail {

void sum_over_ranks(const Communicator& communicator, double* values, int count) {
  std::vector<double> all;
  const auto stride = static_cast<std::size_t>(count);
  collectively(communicator, [&] { all.resize(static_cast<std::size_t>(communicator.size()) * stride); });
  communicator.all_gather(values, count, all.data());
  for (std::size_t k = 0; k < stride; ++k) {
    values[k] = 0;
    for (std::size_t i = k; i < all.size(); i += stride) values[k] += all[i];
  }
}

}  // namespace tessera::detail

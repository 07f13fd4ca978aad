// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/detail/agreement.hpp>

namespace tessera::detail {

/// Collective. `count` numbers at `values`, on the host, become their sums over the ranks, added in the order of the
/// ranks: the same bits on each of them, and each time.
void sum_over_ranks(const Communicator& communicator, double* values, int count);

}  // namespace tessera::detail

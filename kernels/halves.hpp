// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace tessera::kernels {

/// Where a recursion divides n > unit rows: about half of them, in whole units.
constexpr std::int64_t half_of(std::int64_t n, std::int64_t unit) { return (n / 2 + unit - 1) / unit * unit; }

}  // namespace tessera::kernels

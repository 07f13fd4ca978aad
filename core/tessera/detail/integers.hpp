// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace tessera::detail {

/// What a factorisation multiplies by integers: its first columns, where these are older than the newest one. The later
/// ones are subtracted natively, as their residues would serve for fewer products.
struct Integers {
  int moduli = 0;            ///< 0: all products are native
  std::int64_t columns = 0;  ///< of the matrix, in whole steps
  /// 0: these columns keep residues. Else they are all, and make them anew for each update, of so many columns at once;
  /// within those, products are native.
  std::int64_t width = 0;
};

}  // namespace tessera::detail

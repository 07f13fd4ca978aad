// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/options.hpp>

#include <cstdint>

namespace tessera::detail {

/// Throws Misuse for what nothing is computed with.
void require_arithmetic(Arithmetic arithmetic, int moduli);

/// The moduli of the products of an n x n factorisation on so many ranks; 0: they are native.
template <class T, class Exec>
int moduli_for(Arithmetic arithmetic, int moduli, std::int64_t n, int ranks);

}  // namespace tessera::detail

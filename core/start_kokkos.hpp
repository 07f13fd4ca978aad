// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace tessera::detail {

/// Starts Kokkos, on a device of that number or, if it is -1, of Kokkos's choice, unless it runs already. Whether it
/// was started. Throws Misuse, of `what` where Kokkos was finalised, as it begins only once.
bool start_kokkos(const char* what, int device);

}  // namespace tessera::detail

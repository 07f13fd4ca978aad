// SPDX-License-Identifier: BSD-3-Clause
#include "core/start_kokkos.hpp"

#include "tessera/detail/agreement.hpp"

#include <Kokkos_Core.hpp>

#include <string>

namespace tessera::detail {

bool start_kokkos(const char* what, int device) {
  static bool was_there = false;
  if (Kokkos::is_initialized()) {
    was_there = true;
    return false;
  }
#if KOKKOS_VERSION >= 40000
  was_there = was_there || Kokkos::is_finalized();
#endif
  if (was_there) throw_misuse(what, "Kokkos is finalised, and begins only once");
  if (device < -1) throw_misuse("device", "must be the number of a device or -1, got " + std::to_string(device));
#if KOKKOS_VERSION >= 30700
  Kokkos::InitializationSettings settings;
  if (device >= 0) settings.set_device_id(device);
#else
  Kokkos::InitArguments settings;
  settings.device_id = device;
#endif
  Kokkos::initialize(settings);
  return was_there = true;
}

}  // namespace tessera::detail

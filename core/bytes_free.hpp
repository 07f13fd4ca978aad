// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/exchange/communicator.hpp"
#include "core/tuning.hpp"
#include "kernels/backend.hpp"
#include "tessera/detail/saturated.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace tessera::detail {

/// Collective. The bytes that this rank may have: what the caller says, or of a device, free or not, as many as each
/// other rank on it; a host has enough.
template <class Exec>
std::int64_t bytes_free_for(const Exec& exec, const Communicator& communicator,
                            const std::optional<std::int64_t>& callers) {
  if (callers) return *callers;
  if constexpr (kernels::is_host<Exec>) {
    return saturated;
  } else {
    using Backend = kernels::Backend<Exec>;
    std::vector<std::int64_t> devices;
    std::int64_t mine = 0;
    collectively(communicator, [&] {
      devices.resize(static_cast<std::size_t>(communicator.size()));
      mine = Backend::device_number(exec);
    });
    communicator.all_gather(mine, devices.data());
    const auto ranks = std::count(devices.begin(), devices.end(), mine);
    return Tuning<typename Exec::memory_space>::usable(Backend::memory_bytes(exec)) / ranks;
  }
}

}  // namespace tessera::detail

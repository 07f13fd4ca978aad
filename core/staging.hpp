#pragma once

#include "kernels/instances.hpp"

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <map>
#include <string>
#include <utility>

namespace tessera::detail {

/// Host memory for messages from and to `MemorySpace`, which a device copies to by itself. It is slow to make, and so
/// kept from message to message: in sizes that are powers of two, or each new message would need a new one.
template <class MemorySpace>
class StagingPool {
 public:
  using Buffer = Kokkos::View<char*, kernels::PinnedFor<MemorySpace>>;

  /// At least so many bytes.
  Buffer take(std::size_t bytes) {
    const std::size_t size = std::bit_ceil(std::max<std::size_t>(bytes, 4096));
    const auto kept = free_.find(size);
    if (kept == free_.end()) {
      return Buffer(Kokkos::view_alloc(std::string("tessera::exchange::staged"), Kokkos::WithoutInitializing), size);
    }
    Buffer buffer = std::move(kept->second);
    free_.erase(kept);
    return buffer;
  }

  void give_back(Buffer buffer) {
    const std::size_t bytes = buffer.extent(0);
    free_.emplace(bytes, std::move(buffer));
  }

 private:
  std::multimap<std::size_t, Buffer> free_;
};

}  // namespace tessera::detail

#pragma once

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace tessera::detail {

/// Asks the system for large pages in this new memory, of which it then makes fewer when it is first written.
void prefer_large_pages(void* data, std::int64_t bytes) noexcept;

template <class MemorySpace>
class StagingPool;

/// Something of each queue of a factorisation; what has one queue alone has that of updates.
template <class X>
struct OfQueues {
  X updates = {};
  X panels = {};
  X lower_updates = {};  ///< of the lower half of the rows
};

/// The memory of one call of the solver; a later call takes what is left here if it is large enough.
template <class MemorySpace>
struct Memory {
  using Bytes = Kokkos::View<char*, MemorySpace>;

  Bytes tiles;
  Bytes inverses;
  Bytes right_hand_sides;
  Bytes workspace;
  OfQueues<std::shared_ptr<void>> blas_handles = {};       ///< of the queues that work in it
  std::shared_ptr<StagingPool<MemorySpace>> staging = {};  ///< of messages, in host memory

  /// Makes `kept` hold at least so many bytes; what was in it is lost.
  static const Bytes& reserve(Bytes& kept, const char* label, std::int64_t bytes) {
    if (static_cast<std::int64_t>(kept.extent(0)) < bytes) {
      kept = Bytes();  // first, so that the old and the new one never exist together
      kept =
          Bytes(Kokkos::view_alloc(std::string(label), Kokkos::WithoutInitializing), static_cast<std::size_t>(bytes));
      if constexpr (Kokkos::SpaceAccessibility<Kokkos::HostSpace, MemorySpace>::accessible) {
        prefer_large_pages(kept.data(), bytes);
      }
    }
    return kept;
  }
};

}  // namespace tessera::detail

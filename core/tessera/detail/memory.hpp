// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/detail/saturated.hpp>

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <memory>
#include <new>
#include <string>

namespace tessera::detail {

/// Asks the system for large pages in memory that has not been written yet: the first writes then fault less often.
void prefer_large_pages(void* data, std::int64_t bytes) noexcept;

template <class MemorySpace>
class StagingPool;

/// One X for each queue of a factorisation. Work with a single queue uses `updates`.
template <class X>
struct OfQueues {
  X updates = {};
  X panels = {};
  X lower_updates = {};  ///< updates of the lower half of the rows
};

/// The memory of one call of the solver. A later call reuses what is large enough.
template <class MemorySpace>
struct Memory {
  using Bytes = Kokkos::View<char*, MemorySpace>;

  Bytes tiles;
  Bytes right_hand_sides;
  Bytes workspace;
  Bytes messages = {};                                     ///< where they are apart from a large workspace
  OfQueues<std::shared_ptr<void>> blas_handles = {};       ///< of the queues that work in `workspace`
  std::shared_ptr<StagingPool<MemorySpace>> staging = {};  ///< host memory for messages

  /// Makes `kept` at least `bytes` long; its contents may be lost. Throws std::bad_alloc if that many are saturated.
  static const Bytes& reserve(Bytes& kept, const char* label, std::int64_t bytes) {
    if (bytes == saturated) throw std::bad_alloc();
    if (static_cast<std::int64_t>(kept.extent(0)) < bytes) {
      kept = Bytes();  // frees the old one before the new one is made
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

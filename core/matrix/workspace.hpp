// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/detail/memory.hpp"
#include "tessera/detail/saturated.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

namespace tessera::detail {

/// The buffers of one phase, carved out of one allocation in the order in which they are taken. Without memory it only
/// counts: what a phase needs is told by the code that takes it (compare LAPACK's workspace query).
template <class MemorySpace>
class Workspace {
 public:
  Workspace() = default;
  explicit Workspace(const Kokkos::View<char*, MemorySpace>& memory) : memory_(memory) {}

  /// `rows * columns` uninitialised elements; a null pointer while it counts.
  template <class T>
  T* take(std::int64_t rows, std::int64_t columns = 1) {
    const std::int64_t begin = bytes_;
    const std::int64_t bytes = saturated_product(saturated_product(rows, columns), sizeof(T));
    bytes_ = saturated_sum(bytes_, saturated_round_up(bytes, alignment));
    return memory_.data() == nullptr ? nullptr : reinterpret_cast<T*>(memory_.data() + begin);
  }

  std::int64_t bytes() const { return bytes_; }

 private:
  static constexpr std::int64_t alignment = 256;

  Kokkos::View<char*, MemorySpace> memory_;
  std::int64_t bytes_ = 0;
};

/// The bytes that Buffers(workspace, arguments...) takes.
template <class Buffers, class MemorySpace, class... Arguments>
std::int64_t bytes_of(const Arguments&... arguments) {
  Workspace<MemorySpace> query;
  Buffers(query, arguments...);
  return query.bytes();
}

/// Buffers(workspace, arguments...) in the workspace that `memory` has or is given.
template <class Buffers, class MemorySpace, class... Arguments>
Buffers buffers_in(Memory<MemorySpace>& memory, const Arguments&... arguments) {
  Workspace<MemorySpace> workspace(Memory<MemorySpace>::reserve(memory.workspace, "tessera::Memory::workspace",
                                                                bytes_of<Buffers, MemorySpace>(arguments...)));
  return Buffers(workspace, arguments...);
}

}  // namespace tessera::detail

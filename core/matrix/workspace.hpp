// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/detail/memory.hpp"
#include "tessera/detail/saturated.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

namespace tessera::detail {

/// The buffers of one phase, carved out of one allocation in the order in which they are taken, and of a second one for
/// messages where the first is large: a device that gets a message maps all of the allocation that it comes from.
/// Without memory it only counts: what a phase needs is told by the code that takes it (compare LAPACK's workspace
/// query).
template <class MemorySpace>
class Workspace {
 public:
  using Bytes = Kokkos::View<char*, MemorySpace>;

  Workspace() = default;
  Workspace(const Bytes& memory, const Bytes& messages) : all_{memory}, messages_{messages} {}

  /// `rows * columns` uninitialised elements; a null pointer while it counts.
  template <class T>
  T* take(std::int64_t rows, std::int64_t columns = 1) {
    return all_.template take<T>(rows, columns);
  }
  template <class T>
  T* take_for_messages(std::int64_t rows, std::int64_t columns) {
    return messages_.template take<T>(rows, columns);
  }

  std::int64_t bytes() const { return all_.bytes; }
  std::int64_t message_bytes() const { return messages_.bytes; }

 private:
  static constexpr std::int64_t alignment = 256;

  struct Allocation {
    Bytes memory = {};
    std::int64_t bytes = 0;

    template <class T>
    T* take(std::int64_t rows, std::int64_t columns) {
      const std::int64_t begin = bytes;
      const std::int64_t taken = saturated_product(saturated_product(rows, columns), sizeof(T));
      bytes = saturated_sum(bytes, saturated_round_up(taken, alignment));
      return memory.data() == nullptr ? nullptr : reinterpret_cast<T*>(memory.data() + begin);
    }
  };

  Allocation all_;
  Allocation messages_;
};

/// The Workspace that Buffers(workspace, arguments...) has counted in.
template <class Buffers, class MemorySpace, class... Arguments>
Workspace<MemorySpace> query(const Arguments&... arguments) {
  Workspace<MemorySpace> result;
  Buffers(result, arguments...);
  return result;
}

/// The bytes that Buffers(workspace, arguments...) takes.
template <class Buffers, class MemorySpace, class... Arguments>
std::int64_t bytes_of(const Arguments&... arguments) {
  const auto counted = query<Buffers, MemorySpace>(arguments...);
  return saturated_sum(counted.bytes(), counted.message_bytes());
}

/// Buffers(workspace, arguments...) in the workspace that `memory` has or is given.
template <class Buffers, class MemorySpace, class... Arguments>
Buffers buffers_in(Memory<MemorySpace>& memory, const Arguments&... arguments) {
  const auto counted = query<Buffers, MemorySpace>(arguments...);
  Workspace<MemorySpace> workspace(
      Memory<MemorySpace>::reserve(memory.workspace, "tessera::Memory::workspace", counted.bytes()),
      Memory<MemorySpace>::reserve(memory.messages, "tessera::Memory::messages", counted.message_bytes()));
  return Buffers(workspace, arguments...);
}

}  // namespace tessera::detail

// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/detail/memory.hpp"
#include "tessera/detail/saturated.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <utility>

namespace tessera::detail {

/// The buffers of one phase, carved out of one allocation in the order in which they are taken. What a device sends
/// may have an allocation of its own, as the device that gets it maps all of the one that it comes from.
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

  /// Says that the phase takes so much that messages are to be kept apart.
  void keep_messages_apart() { apart_ = true; }

  std::int64_t bytes() const { return all_.bytes; }
  std::int64_t message_bytes() const { return messages_.bytes; }
  bool keeps_messages_apart() const { return apart_; }

 private:
  static constexpr std::int64_t alignment = 256;

  struct Part {
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

  Part all_;
  Part messages_;
  bool apart_ = false;
};

/// The Workspace that Buffers(workspace, arguments...) has counted in.
template <class Buffers, class MemorySpace, class... Arguments>
Workspace<MemorySpace> counted(const Arguments&... arguments) {
  Workspace<MemorySpace> query;
  Buffers(query, arguments...);
  return query;
}

/// The bytes that Buffers(workspace, arguments...) takes.
template <class Buffers, class MemorySpace, class... Arguments>
std::int64_t bytes_of(const Arguments&... arguments) {
  const auto query = counted<Buffers, MemorySpace>(arguments...);
  return saturated_sum(query.bytes(), query.message_bytes());
}

/// Buffers(workspace, arguments...) in the memory that `memory` has or is given: never more than the phase takes that
/// takes most. Messages are apart where there is memory for them already, or where that is made for the phase with the
/// largest workspace so far; else they are behind the rest.
template <class Buffers, class MemorySpace, class... Arguments>
Buffers buffers_in(Memory<MemorySpace>& memory, const Arguments&... arguments) {
  using Kept = Memory<MemorySpace>;
  const auto query = counted<Buffers, MemorySpace>(arguments...);
  const std::int64_t all = saturated_sum(query.bytes(), query.message_bytes());
  const auto size_of = [](const auto& kept) { return static_cast<std::int64_t>(kept.extent(0)); };
  const bool has_both = size_of(memory.workspace) >= query.bytes() && size_of(memory.messages) >= query.message_bytes();
  if (!has_both && query.keeps_messages_apart() && size_of(memory.workspace) <= query.bytes()) {
    memory.workspace = memory.messages = {};
    Kept::reserve(memory.workspace, "tessera::Memory::workspace", query.bytes());
    Kept::reserve(memory.messages, "tessera::Memory::messages", query.message_bytes());
  } else if (!has_both) {
    if (size_of(memory.workspace) < all) memory.messages = {};
    Kept::reserve(memory.workspace, "tessera::Memory::workspace", all);
  }
  auto messages = memory.messages;
  if (size_of(messages) < query.message_bytes()) {
    messages = Kokkos::subview(memory.workspace, std::pair(query.bytes(), all));
  }
  Workspace<MemorySpace> workspace(memory.workspace, messages);
  return Buffers(workspace, arguments...);
}

}  // namespace tessera::detail

// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/detail/memory.hpp>

#include <Kokkos_Core.hpp>

#include <memory>
#include <type_traits>
#include <typeindex>
#include <typeinfo>

namespace tessera::detail {

/// The Memory of the last call, in whatever memory space that was, for the next one. A copy starts empty, and an
/// assignment changes nothing.
class KeptMemory {
 public:
  KeptMemory() = default;
  KeptMemory(const KeptMemory&) noexcept {}
  KeptMemory& operator=(const KeptMemory&) noexcept { return *this; }
  ~KeptMemory() {
    // Kokkos cannot free a View any more, and would end the program: leak it.
    if (kept_ && !Kokkos::is_initialized()) new std::shared_ptr<void>(std::move(kept_));
  }

  void clear() noexcept { kept_.reset(); }

  /// The memory, which comes back when the pointer ends; a call meanwhile gets an empty one.
  template <class MemorySpace>
  auto lend() {
    std::shared_ptr<Memory<MemorySpace>> memory;
    if (space_ == typeid(MemorySpace)) memory = std::static_pointer_cast<Memory<MemorySpace>>(kept_);
    kept_.reset();
    if (!memory) memory = std::make_shared<Memory<MemorySpace>>();
    const auto give_back = [this, memory](Memory<MemorySpace>*) {
      kept_ = memory;
      space_ = typeid(MemorySpace);
    };
    return std::unique_ptr<Memory<MemorySpace>, std::remove_const_t<decltype(give_back)>>(memory.get(), give_back);
  }

 private:
  std::shared_ptr<void> kept_;
  std::type_index space_ = typeid(void);
};

}  // namespace tessera::detail

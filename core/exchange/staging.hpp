// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/backend.hpp"

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace tessera::detail {

/// Host memory for messages from and to `MemorySpace`, which a device copies to by itself. It is slow to make, and so
/// kept from message to message: in sizes that are powers of two, or each new message would need a new one. Others may
/// wait for a message by the time that its memory is made: where there is none of that kind left, any other will do,
/// though the host then waits for the copies.
template <class MemorySpace>
class StagingPool {
 public:
  class Buffer {
   public:
    Buffer() = default;
    explicit Buffer(std::size_t size) : size_(size) {
      try {
        make<kernels::StagingSpaceOf<MemorySpace>>("tessera::exchange::staged");
      } catch (const std::exception&) {
        make<Kokkos::HostSpace>("tessera::exchange::staged_pageable");
      }
    }
    char* data() const { return data_.get(); }
    std::size_t size() const { return size_; }

   private:
    template <class Space>
    void make(const char* label) {
      const Kokkos::View<char*, Space> memory(Kokkos::view_alloc(std::string(label), Kokkos::WithoutInitializing),
                                              size_);
      data_ = std::shared_ptr<char>(memory.data(), [memory](char*) {});
    }

    std::size_t size_ = 0;
    std::shared_ptr<char> data_;
  };

  /// At least so many bytes.
  Buffer take(std::size_t bytes) {
    const std::size_t size = std::bit_ceil(std::max<std::size_t>(bytes, 4096));
    const auto kept = free_.find(size);
    if (kept == free_.end()) return Buffer(size);
    Buffer buffer = std::move(kept->second);
    free_.erase(kept);
    return buffer;
  }

  void give_back(Buffer buffer) {
    const std::size_t size = buffer.size();
    free_.emplace(size, std::move(buffer));
  }

 private:
  std::multimap<std::size_t, Buffer> free_;
};

}  // namespace tessera::detail

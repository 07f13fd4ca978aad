// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/queue.hpp"

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tessera::testing {

/// Tessera's allocations in the memory of the default execution space while it lives, as Kokkos's tools see them.
class Watch {
 public:
  Watch() {
    namespace tools = Kokkos::Tools::Experimental;
    watching() = this;
    tools::set_allocate_data_callback(
        [](Kokkos_Profiling_SpaceHandle space, const char* label, const void* data, std::uint64_t bytes) {
          // a device's messages may be staged in the host's memory
          const bool counts = std::string(space.name) == Kokkos::DefaultExecutionSpace::memory_space::name();
          if (counts && std::string(label).starts_with("tessera::")) watching()->allocated(label, data, bytes);
        });
    tools::set_deallocate_data_callback(
        [](Kokkos_Profiling_SpaceHandle, const char*, const void* data, std::uint64_t) { watching()->freed(data); });
  }
  ~Watch() {
    namespace tools = Kokkos::Tools::Experimental;
    tools::set_allocate_data_callback(nullptr);
    tools::set_deallocate_data_callback(nullptr);
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  std::int64_t now() const { return now_; }
  std::int64_t peak() const { return peak_; }
  /// The labels of what has been allocated since the last time.
  std::vector<std::string> labels() { return std::exchange(labels_, {}); }

 private:
  static Watch*& watching() {
    static Watch* watch = nullptr;
    return watch;
  }
  void allocated(const std::string& label, const void* data, std::uint64_t bytes) {
    labels_.push_back(label);
    sizes_[data] = static_cast<std::int64_t>(bytes);
    now_ += sizes_[data];
    peak_ = std::max(peak_, now_);
  }
  void freed(const void* data) {
    const auto found = sizes_.find(data);
    if (found == sizes_.end()) return;
    now_ -= found->second;
    sizes_.erase(found);
  }

  std::map<const void*, std::int64_t> sizes_;
  std::vector<std::string> labels_;
  std::int64_t now_ = 0;
  std::int64_t peak_ = 0;
};

/// What products, and rows that are appended, may take beside the plan of a solve: a BLAS's workspace on a device.
inline constexpr std::int64_t beside_the_plan =
    kernels::is_host<Kokkos::DefaultExecutionSpace>
        ? 0
        : kernels::Queue<Kokkos::DefaultExecutionSpace>::workspace_bytes + (std::int64_t{1} << 14);

}  // namespace tessera::testing

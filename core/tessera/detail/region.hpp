// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <Kokkos_Core.hpp>

namespace tessera::detail {

/// A region that Kokkos's tools see, as long as the object lives: a host BLAS's calls are in no kernel. It does not
/// throw, and may so surround what is collective: tools do without a region that cannot be pushed.
class Region {
 public:
  explicit Region(const char* label) noexcept {
    try {
      Kokkos::Profiling::pushRegion(label);
      is_pushed_ = true;
    } catch (...) {
    }
  }
  ~Region() {
    if (is_pushed_) Kokkos::Profiling::popRegion();
  }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

 private:
  bool is_pushed_ = false;
};

}  // namespace tessera::detail

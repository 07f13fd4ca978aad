#pragma once

#include <Kokkos_Core.hpp>

#include <string>

namespace tessera::detail {

/// A region that Kokkos's tools see, as long as the object lives: a host BLAS's calls are in no kernel.
class Region {
 public:
  explicit Region(const std::string& label) { Kokkos::Profiling::pushRegion(label); }
  ~Region() { Kokkos::Profiling::popRegion(); }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
};

}  // namespace tessera::detail

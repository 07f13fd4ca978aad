#pragma once

#include <Kokkos_Core.hpp>

#include <chrono>

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

/// A region whose wall-clock time on this thread is added to `seconds`, or to what it is booked to instead.
class Timed {
 public:
  Timed(double& seconds, const char* label) noexcept
      : seconds_(&seconds), region_(label), begin_(std::chrono::steady_clock::now()) {}
  ~Timed() { *seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

  void book_to(double& seconds) { seconds_ = &seconds; }

 private:
  double* seconds_;
  Region region_;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace tessera::detail

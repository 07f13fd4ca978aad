// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/detail/region.hpp"

#include <chrono>

namespace tessera::detail {

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

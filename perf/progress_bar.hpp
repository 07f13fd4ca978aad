// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstdint>

namespace tessera::perf {

/// Whether a person watches stderr: it is a terminal, or that of the launcher is, which hands its ranks a pipe.
bool stderr_is_watched();

/// One line on stderr that shows how far a factorisation is; it is gone when this ends.
class ProgressBar {
 public:
  ProgressBar() = default;
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar();

  /// `done` columns of `all` are factored.
  void show(std::int64_t done, std::int64_t all);

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
  Clock::time_point shown_;
};

}  // namespace tessera::perf

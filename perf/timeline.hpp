// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace tessera::perf {

/// Records the regions that this rank enters and leaves as long as it lives; there may be one at a time. A tool that
/// Kokkos has loaded still sees them. On a device Kokkos then fences at both ends of every region: what is recorded is
/// the work, not its launch, but nothing overlaps across regions any more.
class Timeline {
 public:
  struct Event {
    std::string name;
    double begin;  ///< seconds since the recording began
    double end;
    int depth;  ///< regions around this one
  };

  Timeline();
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;
  ~Timeline();

  /// Regions that have ended, in the order in which they began.
  std::vector<Event> events() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Span {
    std::size_t name;
    int depth;
    Clock::time_point begin;
    Clock::time_point end;  ///< the epoch, while the region is open
  };

  static void push(const char* name);
  static void pop();
  std::size_t index_of(const char* name);

  std::vector<std::string> names_;
  std::vector<Span> spans_;
  std::vector<std::size_t> open_;
  Clock::time_point start_;
};

}  // namespace tessera::perf

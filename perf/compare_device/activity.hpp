// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tessera::perf {

/// Records what this process's GPU does from start() to stop(), as the GPU itself says (CUPTI): unlike a Timeline, it
/// changes nothing of what overlaps.
class Activity {
 public:
  struct Event {
    std::string name;  ///< of the kernel, demangled; copies are "copy"
    std::uint32_t stream;
    double begin;  ///< seconds since the first one began
    double end;
  };

  static void start();
  static std::vector<Event> stop();  ///< in the order in which they began
};

}  // namespace tessera::perf

// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdarg>
#include <cstdio>
#include <string>

namespace tessera::perf {

/// Appends what printf would print, 255 characters at most.
[[gnu::format(printf, 2, 3)]] inline void print(std::string& text, const char* format, ...) {
  char line[256];
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  text += line;
}

}  // namespace tessera::perf

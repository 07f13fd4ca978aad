// SPDX-License-Identifier: BSD-3-Clause
#include "perf/progress_bar.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace tessera::perf {

bool stderr_is_watched() {
  if (isatty(STDERR_FILENO)) return true;
  const std::string launcher = "/proc/" + std::to_string(getppid()) + "/fd/2";
  const int file = open(launcher.c_str(), O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return false;
  const bool watched = isatty(file);
  close(file);
  return watched;
}

ProgressBar::~ProgressBar() {
  if (shown_ != Clock::time_point{}) std::fputs("\r\033[K", stderr);
}

void ProgressBar::show(std::int64_t done, std::int64_t all) {
  const auto now = Clock::now();
  if (now - shown_ < std::chrono::milliseconds(100)) return;
  shown_ = now;
  // Column c of a left-looking factorisation costs about c (n - c): in all, 3 t^2 - 2 t^3 of the work lies left of t n.
  const double t = all > 0 ? static_cast<double>(done) / static_cast<double>(all) : 1;
  const double work = t * t * (3 - 2 * t);
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const std::size_t width = 30;
  std::string bar(static_cast<std::size_t>(work * static_cast<double>(width)), '#');
  bar.resize(width, '.');
  std::fprintf(stderr, "\rfactorize [%s] %3.0f %%  %.1f s of about %.1f s\033[K", bar.c_str(), 100 * work, elapsed,
               work > 0 ? elapsed / work : 0);
  std::fflush(stderr);
}

}  // namespace tessera::perf

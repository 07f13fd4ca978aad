// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/detail/memory.hpp"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace tessera::detail {

void prefer_large_pages([[maybe_unused]] void* data, [[maybe_unused]] std::int64_t bytes) noexcept {
#ifdef MADV_HUGEPAGE
  constexpr std::int64_t page = std::int64_t{2} << 20;
  const std::int64_t to_first =
      (page - static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(data) % page)) % page;
  const std::int64_t whole = (bytes - to_first) / page * page;
  if (whole > 0) madvise(static_cast<char*>(data) + to_first, static_cast<std::size_t>(whole), MADV_HUGEPAGE);
#endif
}

}  // namespace tessera::detail

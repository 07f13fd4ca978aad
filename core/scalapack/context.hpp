// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/process_grid.hpp"

namespace tessera::scalapack {

/// The function of this name that the program would have called without this library: ScaLAPACK's, or BLACS's. If there
/// is none, it ends the program, as the loader does.
void* behind(const char* name) noexcept;

template <class Function>
Function* behind(const char* name) noexcept {
  return reinterpret_cast<Function*>(behind(name));
}

/// A BLACS context, as this process sees it.
class Context {
 public:
  explicit Context(int number) noexcept;

  bool has_this_process() const { return row >= 0; }

  /// Collective over the context's processes. Their grid, which is made at the context's first use, and ends with it.
  /// @throws std::exception on all of them
  const ProcessGrid& grid() const;

  const int number;
  GridShape shape{-1, -1};
  int row = -1;  ///< of this process
  int col = -1;
};

}  // namespace tessera::scalapack

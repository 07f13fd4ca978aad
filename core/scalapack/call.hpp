// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/scalapack/submatrix.hpp"
#include "tessera/process_grid.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

namespace tessera::scalapack {

/// One call of a routine of ScaLAPACK's: what all processes of the grid pass alike, but for descriptors' LLD and where
/// their arrays are.
struct Call {
  const char* routine;
  char uplo;
  std::size_t alignment;  ///< of the scalar
  Submatrix a;
  const void* a_data;
  std::optional<Submatrix> b = std::nullopt;
  const void* b_data = nullptr;
  double norm = 0;        ///< of p?pocon
  bool is_query = false;  ///< for the workspace of p?pocon

  bool is_lower() const { return uplo == 'L' || uplo == 'l'; }
};

/// Tessera's part of a call. Collective over the grid. `changed` must become true before an array of the caller's
/// changes.
/// @throws NotPositiveDefinite, where INFO is its leading minor
/// @throws std::exception on every process, if it can't do it
using Work = std::function<void(const ProcessGrid&, bool& changed)>;

/// Has Tessera do a call, or else ScaLAPACK.
///
/// What is wrong with the arguments is for ScaLAPACK to say: it gets what it or Tessera refuses, and what Tessera fails
/// at, for lack of memory for example, before it has changed an array. All processes of the grid come to the same
/// decision, as they agree on it. If an array has changed when Tessera fails, nothing can undo that: process (0, 0)
/// prints why, and INFO is `lost` on all. No exception leaves.
/// @param lost a negative INFO that ScaLAPACK does not know: the position of the array among the arguments
/// @param hand_on calls ScaLAPACK's own routine
void run(const Call& call, int* info, int lost, const Work& work, const std::function<void()>& hand_on) noexcept;

}  // namespace tessera::scalapack

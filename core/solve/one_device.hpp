// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/matrix/leaves.hpp"
#include "core/matrix/slabs.hpp"
#include "core/matrix/workspace.hpp"
#include "core/solve/sweep.hpp"
#include "kernels/backend.hpp"
#include "kernels/slabs_of_l.hpp"
#include "tessera/cholesky_factor.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tessera::detail {

/// The solve where one device has all of L and right-hand sides are few: a launch of Substitution for each sweep.
template <class T, class Exec>
class SolveOnOneDevice {
 public:
  using MemorySpace = typename Exec::memory_space;

  static bool suits(const SlabLayout& layout, std::int64_t nrhs) {
    return layout.rows.processes * layout.columns.processes == 1 && fits_one_launch<T>(layout) &&
           nrhs <= kernels::Substitution<Exec>::template columns_at_once<T>;
  }

  SolveOnOneDevice(Workspace<MemorySpace>& workspace, const SlabLayout& layout, std::int64_t nrhs) {
    const std::int64_t width = Leaves<MemorySpace>(layout).width();
    const std::int64_t leaves_in_slab = (layout.slab + width - 1) / width;
    substitution_ = workspace.template take<char>(
        kernels::Substitution<Exec>::template workspace_bytes<T>(width, layout.count() * leaves_in_slab, nrhs));
  }

  /// The sweeps, which solve, in place.
  void run(const Exec& exec, const std::vector<Sweep>& sweeps, const CholeskyFactor<T, MemorySpace>& factor,
           const MatrixView<T, MemorySpace>& b) const {
    const ShardedMatrix<T, MemorySpace>& matrix = factor.matrix();
    const kernels::SlabsOfL<T> l{slabs_of<const T>(matrix), Leaves<MemorySpace>(matrix.layout()).width(),
                                 matrix.leaf_inverses()};
    for (const Sweep& sweep : sweeps) {
      kernels::Substitution<Exec>::template run<T>(exec, sweep.op(), l, b, substitution_);
    }
  }

 private:
  char* substitution_;
};

}  // namespace tessera::detail

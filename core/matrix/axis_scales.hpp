// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/matrix/workspace.hpp"
#include "kernels/residues.hpp"
#include "tessera/distribution.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

namespace tessera::detail {

template <class MemorySpace>
kernels::RowScales take_scales(Workspace<MemorySpace>& workspace, std::int64_t count) {
  double* const up = workspace.template take<double>(count);
  return {up, workspace.template take<double>(count)};
}

/// Of what is known of all rows, that of an axis's.
struct ScalesOfAxis {
  BlockCyclic axis;
  kernels::RowScales of_all;
  kernels::RowScales mine;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    const std::int64_t row = axis.to_global(LocalIndex{i}).value;
    mine.up[i] = of_all.up[row];
    mine.down[i] = of_all.down[row];
  }
};

template <class Exec>
void pick_scales(const Exec& exec, const BlockCyclic& axis, const kernels::RowScales& of_all,
                 const kernels::RowScales& mine) {
  Kokkos::parallel_for("tessera::matrix::scales_of_axis",
                       Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, axis.local_extent()),
                       ScalesOfAxis{axis, of_all, mine});
}

}  // namespace tessera::detail

// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/factorize/residue_layout.hpp"
#include "core/factorize/step.hpp"
#include "core/matrix/axis_scales.hpp"
#include "core/matrix/workspace.hpp"
#include "kernels/residues.hpp"
#include "tessera/detail/integers.hpp"
#include "tessera/detail/memory.hpp"
#include "tessera/distribution.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tessera::detail {

/// The memory of updates by integers.
template <class T, class Exec>
struct ResidueBuffers {
  using MemorySpace = typename Exec::memory_space;
  using Layout = ResidueLayout<T, MemorySpace>;

  ResidueBuffers(Workspace<MemorySpace>& workspace, const SlabLayout& layout, const Integers& integers, int slots)
      : moduli(workspace.template take<kernels::Moduli>(1)),
        of_all_rows(take_scales(workspace, layout.rows.n)),
        of_my_rows(take_scales(workspace, layout.rows.local_extent())),
        sums{workspace.template take<double>(layout.rows.local_extent()),
             workspace.template take<std::int64_t>(layout.rows.local_extent())} {
    const Layout bands(layout, integers);
    const std::int64_t width = steps_of<MemorySpace>(layout, integers.moduli).width();
    if (integers.width > 0) {
      const std::int64_t height = kernels::rows_with_margin(widest_together(layout, integers));
      const std::int64_t row = bands.padding().position(layout.columns.local_extent());
      left =
          workspace.template take<std::int8_t>(bands.planes() * kernels::rows_with_margin(Layout::rows_together), row);
      for (int i = 0; i < (kernels::planes_per_modulus<T> == 1 ? 1 : 2); ++i) {
        right.push_back(workspace.template take<std::int8_t>(bands.planes() * height, row));
      }
    } else {
      left = workspace.template take<std::int8_t>(bands.size());
      // Two where only events order the steps: one is written while the updates of the step before read the other.
      const int operands = !has_right(layout) ? 0 : kernels::is_host<Exec> ? slots : std::max(2, slots);
      for (int i = 0; i < operands; ++i) {
        right.push_back(workspace.template take<std::int8_t>(bands.planes() * width, bands.longest_row()));
      }
    }
    // On a device some products are computed while those before become numbers.
    const std::int64_t rows = kernels::PaddedColumns::padded(
        std::min(integers.width > 0 ? Layout::rows_together : Layout::band_rows, layout.rows.local_extent()));
    for (int i = 0; i < (kernels::is_host<Exec> ? 1 : 2); ++i) {
      products.push_back(workspace.template take<std::int32_t>(rows * bands.planes(), width));
    }
  }

  /// Whether right operands are not the left ones of other rows: those come from other ranks, or are conjugates.
  static bool has_right(const SlabLayout& layout) {
    return layout.rows.processes > 1 || kernels::planes_per_modulus<T> > 1;
  }

  kernels::Moduli* moduli;
  kernels::RowScales of_all_rows;  // by global index
  kernels::RowScales of_my_rows;   // by local index
  kernels::RowSums sums;
  std::int8_t* left = nullptr;
  std::vector<std::int8_t*> right;
  std::vector<std::int32_t*> products;

 private:
  static std::int64_t widest_together(const SlabLayout& layout, const Integers& integers) {
    std::int64_t widest = 0;
    for (const Step& step : steps_in_order<MemorySpace>(layout, integers)) {
      widest = std::max(widest, layout.columns.extent_of(step.together));
    }
    return widest;
  }
};

}  // namespace tessera::detail

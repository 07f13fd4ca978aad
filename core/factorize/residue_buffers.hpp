#pragma once

#include "core/factorize/residue_layout.hpp"
#include "core/factorize/step.hpp"
#include "core/matrix/workspace.hpp"
#include "kernels/residues.hpp"
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

  /// `halves`: whether two updates work side by side.
  ResidueBuffers(Workspace<MemorySpace>& workspace, const SlabLayout& layout, int moduli_count, int slots, bool halves)
      : moduli(workspace.template take<kernels::Moduli>(1)),
        of_all_rows(take_scales(workspace, layout.rows.n)),
        of_my_rows(take_scales(workspace, layout.rows.local_extent())),
        sums{workspace.template take<double>(layout.rows.local_extent()),
             workspace.template take<std::int64_t>(layout.rows.local_extent())} {
    const Layout bands(layout, moduli_count);
    const std::int64_t width = steps_of<MemorySpace>(layout, moduli_count).width();
    left = workspace.template take<std::int8_t>(bands.size());
    if (has_right(layout)) {
      const std::int64_t row = bands.padding().position(layout.columns.local_extent());
      // Two where only events order the steps: one is written while the updates of the step before read the other.
      for (int i = 0; i < std::max(2, slots); ++i) {
        right.push_back(workspace.template take<std::int8_t>(bands.planes() * width, row));
      }
    }
    const auto take_products = [&] {
      return workspace.template take<std::int32_t>(Layout::band_rows * bands.planes(), width);
    };
    products.updates = take_products();
    if (halves) products.lower_updates = take_products();
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
  OfQueues<std::int32_t*> products;

 private:
  static kernels::RowScales take_scales(Workspace<MemorySpace>& workspace, std::int64_t count) {
    double* const up = workspace.template take<double>(count);
    return {up, workspace.template take<double>(count)};
  }
};

}  // namespace tessera::detail

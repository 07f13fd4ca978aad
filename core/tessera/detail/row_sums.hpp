// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/detail/local_block.hpp>
#include <tessera/sharded_matrix.hpp>

#include <Kokkos_Core.hpp>

#include <cstdint>

namespace tessera::detail {

/// term(sums[i], A(i, j), i, j) for the columns j <= i of one slab, in order; what is above the diagonal is not read.
/// On a device a thread has a row; on the host several, which lie side by side in the cache.
template <class T, class MemorySpace, class Sum, class Term>
struct AddRowSums {
  static constexpr std::int64_t height =
      Kokkos::SpaceAccessibility<Kokkos::HostSpace, MemorySpace>::accessible ? 64 : 1;

  LocalBlock<T, MemorySpace> slab;
  Term term;
  Sum* sums;

  KOKKOS_FUNCTION void operator()(std::int64_t group) const {
    const std::int64_t begin = group * height;
    const std::int64_t rest = static_cast<std::int64_t>(slab.a.extent(0)) - begin;
    const std::int64_t count = rest < height ? rest : height;
    std::int64_t i[height];
    Sum sum[height];
    for (std::int64_t r = 0; r < count; ++r) {
      i[r] = slab.global_row(begin + r).value;
      sum[r] = sums[i[r]];
    }
    const auto columns = static_cast<std::int64_t>(slab.a.extent(1));
    for (std::int64_t column = 0; column < columns; ++column) {
      const std::int64_t j = slab.global_column(column).value;
      if (j > i[count - 1]) break;
      for (std::int64_t r = 0; r < count; ++r) {
        if (j <= i[r]) term(sum[r], slab.a(begin + r, column), i[r], j);
      }
    }
    for (std::int64_t r = 0; r < count; ++r) sums[i[r]] = sum[r];
  }
};

/// term(sums[i], A(i, j), i, j) for the elements j <= i that this rank has, for each i in the same order each time;
/// enqueued on `exec`.
template <class T, class Exec, class Sum, class Term>
void add_row_sums(const char* label, const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& matrix,
                  const Term& term, Sum* sums) {
  using Add = AddRowSums<T, typename Exec::memory_space, Sum, Term>;
  const SlabLayout& layout = matrix.layout();
  for (std::int64_t s = 0; s < layout.count(); ++s) {
    Kokkos::parallel_for(label,
                         Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(
                             exec, 0, (layout.height(s) + Add::height - 1) / Add::height),
                         Add{matrix.slab_block(s), term, sums});
  }
}

}  // namespace tessera::detail

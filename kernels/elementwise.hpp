// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/backend.hpp"
#include "tessera/matrix_view.hpp"

// Kernels that touch each element once.
namespace tessera::kernels {

/// functor(i, j) for a block of elements: a thread does one row of it.
template <class Exec, class Functor>
struct ForBlock {
  static constexpr std::int64_t height = 256;  // and threads
  static constexpr std::int64_t width = 16;

  std::int64_t rows;
  std::int64_t columns;
  Functor functor;

  KOKKOS_FUNCTION std::int64_t blocks_down() const { return (rows + height - 1) / height; }
  std::int64_t blocks() const { return blocks_down() * ((columns + width - 1) / width); }

  KOKKOS_FUNCTION void operator()(const typename Kokkos::TeamPolicy<Exec>::member_type& team) const {
    const std::int64_t i = team.league_rank() % blocks_down() * height + team.team_rank();
    const std::int64_t begin = team.league_rank() / blocks_down() * width;
    const std::int64_t end = begin + width < columns ? begin + width : columns;
    if (i >= rows) return;
    for (std::int64_t j = begin; j < end; ++j) functor(i, j);
  }
};

/// functor(i, j) for i < rows and j < columns, column by column.
template <class Exec, class Functor>
void for_each_index(const char* label, const Exec& exec, std::int64_t rows, std::int64_t columns,
                    const Functor& functor) {
  if (rows == 0 || columns == 0) return;
  if constexpr (is_host<Exec>) {
    using Policy = Kokkos::MDRangePolicy<Exec, Kokkos::Rank<2, Kokkos::Iterate::Left, Kokkos::Iterate::Left>,
                                         Kokkos::IndexType<std::int64_t>>;
    Kokkos::parallel_for(label, Policy(exec, {0, 0}, {rows, columns}), functor);
  } else {  // a device works out less for an element like this
    using Block = ForBlock<Exec, Functor>;
    const Block block{rows, columns, functor};
    Kokkos::parallel_for(
        label, Kokkos::TeamPolicy<Exec>(exec, static_cast<int>(block.blocks()), static_cast<int>(Block::height)),
        block);
  }
}

/// functor(i, j) for each element of `over`, column by column.
template <class T, class Exec, class Functor>
void for_each(const char* label, const Exec& exec, const MatrixView<T, typename Exec::memory_space>& over,
              const Functor& functor) {
  for_each_index(label, exec, static_cast<std::int64_t>(over.extent(0)), static_cast<std::int64_t>(over.extent(1)),
                 functor);
}

/// A = 0
template <class T, class Exec>
void set_zero(const Exec& exec, const MatrixView<T, typename Exec::memory_space>& a);

/// A = I
template <class T, class Exec>
void set_identity(const Exec& exec, const MatrixView<T, typename Exec::memory_space>& a);

/// B = A
template <class T, class Exec>
void copy(const Exec& exec, const MatrixView<const T, typename Exec::memory_space>& a,
          const MatrixView<T, typename Exec::memory_space>& b);

/// B = B + A
template <class T, class Exec>
void add(const Exec& exec, const MatrixView<const T, typename Exec::memory_space>& a,
         const MatrixView<T, typename Exec::memory_space>& b);

/// B = A^H
template <class T, class Exec>
void conj_transpose(const Exec& exec, const MatrixView<const T, typename Exec::memory_space>& a,
                    const MatrixView<T, typename Exec::memory_space>& b);

}  // namespace tessera::kernels

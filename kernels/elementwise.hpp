#pragma once

#include "tessera/matrix_view.hpp"

// Kernels that touch each element once.
namespace tessera::kernels {

/// functor(i, j) for each element of `over`, column by column.
template <class T, class Exec, class Functor>
void for_each(const char* label, const Exec& exec, const MatrixView<T, typename Exec::memory_space>& over,
              const Functor& functor) {
  if (over.size() == 0) return;
  using Policy = Kokkos::MDRangePolicy<Exec, Kokkos::Rank<2, Kokkos::Iterate::Left, Kokkos::Iterate::Left>,
                                       Kokkos::IndexType<std::int64_t>>;
  Kokkos::parallel_for(
      label,
      Policy(exec, {0, 0}, {static_cast<std::int64_t>(over.extent(0)), static_cast<std::int64_t>(over.extent(1))}),
      functor);
}

/// A = 0
template <class T, class Exec>
void set_zero(const Exec& exec, const MatrixView<T, typename Exec::memory_space>& a);

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

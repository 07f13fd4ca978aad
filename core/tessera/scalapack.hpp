// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/detail/agreement.hpp>
#include <tessera/detail/backends.hpp>
#include <tessera/detail/matrix_source.hpp>
#include <tessera/detail/memory.hpp>
#include <tessera/detail/strided.hpp>
#include <tessera/options.hpp>
#include <tessera/process_grid.hpp>
#include <tessera/scalar.hpp>
#include <tessera/sharded_matrix.hpp>

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <type_traits>

/// @file
/// Copies between a ShardedMatrix and arrays as ScaLAPACK distributes them. Neither ScaLAPACK nor BLACS is needed.

namespace tessera {
/// @addtogroup scalapack
/// @{

/// An m x n array that is distributed block-cyclically, as a ScaLAPACK descriptor has it, and where in it a matrix
/// begins. Indices are from 0; LLD is the leading dimension of `local`.
template <class View>
struct ScalapackArray {
  ProcessGrid grid;     ///< on the ranks of the matrix's grid, but of any shape and order
  View local;           ///< a rank-2 View of this rank's part, with rows of stride 1, here or in the host's memory
  std::int64_t m = 0;   ///< rows of the array
  std::int64_t n = 0;   ///< columns of the array
  std::int64_t mb = 1;  ///< rows of a block
  std::int64_t nb = 1;  ///< columns of a block: mb
  int rsrc = 0;         ///< the process row that has the first row
  int csrc = 0;         ///< the process column that has the first column
  std::int64_t ia = 0;  ///< row of the array where the matrix begins: ScaLAPACK's IA - 1
  std::int64_t ja = 0;  ///< column of the array where it begins: ScaLAPACK's JA - 1
};

namespace detail {

/// What is the same on all ranks of a ScalapackArray.
struct ArrayDescriptor {
  GridNumbering grid;
  std::int64_t m;
  std::int64_t n;
  std::int64_t mb;
  std::int64_t nb;
  int rsrc;
  int csrc;
  std::int64_t ia;
  std::int64_t ja;
};

/// A ScalapackArray of T, or const T, as the compiled library takes it.
template <class T>
struct DescribedArray {
  ArrayDescriptor descriptor;
  Strided<T> local;
  bool on_host;  ///< where `exec` does not reach it
};

template <class Exec, class View>
DescribedArray<typename View::value_type> described(const ScalapackArray<View>& a) {
  static_assert(Kokkos::is_view<View>::value && View::rank == 2, "local is a rank-2 View");
  using Space = typename View::memory_space;
  static_assert(accessible<Exec, Space> || accessible<Kokkos::DefaultHostExecutionSpace, Space>,
                "local is in memory that exec, or the host, can access");
  return {{a.grid.numbering(), a.m, a.n, a.mb, a.nb, a.rsrc, a.csrc, a.ia, a.ja},
          strided(a.local),
          !accessible<Exec, Space>};
}

/// Within agree(): checks an array that an n x n matrix is copied to or from, and notes what ranks must agree on.
template <class T>
void note_array(Agreement& agreement, const DescribedArray<T>& array, const ProcessGrid& grid_of_array,
                const ProcessGrid& grid_of_matrix, std::int64_t n);

/// Collective, and the first thing of a copy either way.
template <class T, class MemorySpace, class Element>
void agree_on_copy(const char* operation, const ShardedMatrix<T, MemorySpace>& matrix,
                   const DescribedArray<Element>& array, const ProcessGrid& grid_of_array, Triangle triangle) {
  agree(matrix.grid().communicator(), operation, [&](Agreement& agreement) {
    require_kokkos();
    require_triangle(triangle);
    note_matrix(agreement, matrix);
    agreement.same("triangle", static_cast<int>(triangle));
    note_array(agreement, array, grid_of_array, matrix.grid(), matrix.n());
  });
}

/// Collective. What has been agreed on, with memory from `memory`. A message has at most so many numbers, unless a
/// column has more; 0: as many as are fast. `has_begun`, where there is one, becomes true on all ranks when each has
/// its memory, before the array changes.
template <class T, class Exec>
void to_array(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& matrix,
              const DescribedArray<T>& array, Triangle triangle, Memory<typename Exec::memory_space>& memory,
              std::int64_t most_numbers = 0, bool* has_begun = nullptr);
template <class T, class Exec>
void from_array(const Exec& exec, const DescribedArray<const T>& array,
                ShardedMatrix<T, typename Exec::memory_space>& matrix, Triangle triangle,
                Memory<typename Exec::memory_space>& memory, std::int64_t most_numbers = 0);

/// Collective. tessera::to_scalapack; `has_begun` as above.
template <class Exec, Scalar T, class View>
void to_scalapack(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& matrix,
                  const ScalapackArray<View>& array, Triangle triangle, bool& has_begun) {
  require_backend<Exec>();
  static_assert(std::is_same_v<typename View::value_type, T>, "the array has the scalar of the matrix");
  const auto to = described<Exec>(array);
  agree_on_copy("to_scalapack", matrix, to, array.grid, triangle);
  Memory<typename Exec::memory_space> memory;
  to_array<T>(exec, matrix, to, triangle, memory, 0, &has_begun);
}

}  // namespace detail

/// Copies the lower triangle of a matrix, A, its factor's L or its inverse, to one triangle of an n x n part of an
/// array. Nothing else of the array is read or written.
///
/// The array may have another grid on the same ranks, and blocks of another size. Numbers move in messages of a bounded
/// size, which is also that of the memory that it takes. Collective over the matrix's grid; it begins after what `exec`
/// has been given, and is complete when it returns.
/// @param exec runs the kernels, in the memory space of `matrix`
/// @param matrix is not changed
/// @param array what it describes is written; if `exec` cannot access it, what has used it must be complete
/// @param triangle of the array: the lower one, or the upper one, which gets the conjugate transpose
/// @throws std::invalid_argument on every rank, unless 1 <= mb = nb, rsrc and csrc are in the array's grid, and ia + n
///   <= m and ja + n <= n of the array, which are below 2^31; `local` has this rank's rows and columns, and rows of
///   stride 1; and the ranks agree
/// @throws std::bad_alloc or Kokkos's std::runtime_error, on every rank, if a rank's memory does not suffice
template <class Exec, Scalar T, class View>
void to_scalapack(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& matrix,
                  const ScalapackArray<View>& array, Triangle triangle = Triangle::lower) {
  bool has_begun = false;
  detail::to_scalapack(exec, matrix, array, triangle, has_begun);
}

/// The other way: one triangle of an n x n part of an array becomes the lower triangle of a matrix, with the real part
/// of the diagonal. Above the diagonal the matrix gets zeros, but not where its memory is an array that is adopted.
/// @param exec as for to_scalapack
/// @param array is not changed
/// @param matrix what it holds is overwritten
/// @param triangle of the array: the lower one, or the upper one, of which the conjugate transpose is taken
/// @throws std::invalid_argument, std::bad_alloc and std::runtime_error as to_scalapack
template <class Exec, Scalar T, class View>
void from_scalapack(const Exec& exec, const ScalapackArray<View>& array,
                    ShardedMatrix<T, typename Exec::memory_space>& matrix, Triangle triangle = Triangle::lower) {
  detail::require_backend<Exec>();
  static_assert(std::is_same_v<typename View::non_const_value_type, T>, "the array has the scalar of the matrix");
  const auto described = detail::described<Exec>(ScalapackArray<typename View::const_type>{
      array.grid, array.local, array.m, array.n, array.mb, array.nb, array.rsrc, array.csrc, array.ia, array.ja});
  detail::agree_on_copy("from_scalapack", matrix, described, array.grid, triangle);
  detail::Memory<typename Exec::memory_space> memory;
  detail::from_array<T>(exec, described, matrix, triangle, memory);
}

/// @}
}  // namespace tessera

#pragma once

#include "core/scalapack/submatrix.hpp"
#include "tessera/detail/agreement.hpp"
#include "tessera/matrix_view.hpp"
#include "tessera/sharded_matrix.hpp"

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace tessera::scalapack {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;

/// sub(A) of a ScaLAPACK routine as a ShardedMatrix: in the caller's array, where that is possible, or a copy.
template <class T>
class Operand {
 public:
  /// `a`: this process's part of the array, in host memory.
  Operand(const ProcessGrid& grid, const Submatrix& part, bool is_lower, T* a)
      : grid_(grid), part_(part), in_array_(is_lower && part.is_at_origin()), callers_(whole_array(a)) {}

  /// Whether matrix() changes the caller's array.
  bool is_in_place() const { return in_array_ && on_host; }

  /// Collective. The matrix that the array has by now.
  ShardedMatrix<T, Space> matrix() {
    if (!in_array_) detail::throw_misuse("A", "would have to be copied");
    bring_in();
    return ShardedMatrix<T, Space>::adopt(grid_, part_.rows, part_.row_block, array_);
  }

  /// Collective. Makes the caller's array `matrix`, which is what matrix() returned, or what came of it.
  void put_back(const ShardedMatrix<T, Space>&, bool& changed) {
    changed = true;
    if constexpr (!on_host) Kokkos::deep_copy(callers_, array_);
  }

 private:
  static constexpr bool on_host = Kokkos::SpaceAccessibility<Exec, Kokkos::HostSpace>::accessible;
  using Array = MatrixView<T, Space>;

  /// All that the array's descriptor promises of it, in one piece, as copies to a device want it.
  MatrixView<T, Kokkos::HostSpace> whole_array(T* a) const {
    const BlockCyclic columns = part_.columns_on(grid_.col(), grid_.shape());
    const std::int64_t count = columns.local_lower_bound(GlobalIndex{part_.column + part_.columns}).value;
    const std::int64_t rows = part_.leading_dimension;
    return make_matrix_view<Kokkos::HostSpace>(a, rows, count, rows);
  }

  /// Collective. The array where `Exec` can work on it.
  void bring_in() {
    if constexpr (on_host) {
      array_ = callers_;
    } else {
      detail::collectively(grid_.communicator(), [&] {
        copy_ = Kokkos::View<T**, Kokkos::LayoutLeft, Space>(
            Kokkos::view_alloc("tessera::scalapack::array", Kokkos::WithoutInitializing), callers_.extent(0),
            callers_.extent(1));
        Kokkos::deep_copy(copy_, callers_);
        array_ = copy_;
      });
    }
  }

  ProcessGrid grid_;
  Submatrix part_;
  bool in_array_;
  MatrixView<T, Kokkos::HostSpace> callers_;
  Kokkos::View<T**, Kokkos::LayoutLeft, Space> copy_;  // on a device
  Array array_;
};

}  // namespace tessera::scalapack

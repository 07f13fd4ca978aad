#pragma once

#include "core/factorize/failing_minor.hpp"
#include "core/matrix/slabs.hpp"
#include "core/tuning.hpp"
#include "kernels/backend.hpp"
#include "kernels/potrf.hpp"
#include "tessera/detail/schedule.hpp"
#include "tessera/distribution.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

namespace tessera::detail {

/// The factorisation where one device has all of a small matrix: steps would be a chain of small kernels.
template <class T, class Exec>
class FactorizeInOneLaunch {
 public:
  using MemorySpace = typename Exec::memory_space;

  /// `moduli`: of updates by integers, or 0.
  static bool suits(const SlabLayout& layout, int moduli, const Schedule& schedule) {
    const std::int64_t n = layout.rows.n;
    return schedule.one_launch && moduli == 0 && layout.rows.processes * layout.columns.processes == 1 && n > 0 &&
           n <= Tuning<MemorySpace>::one_launch_rows && layout.count() <= kernels::Slabs<T>::most &&
           (layout.count() == 1 || layout.slab % kernels::Cholesky<Exec>::template block<T> == 0);
  }

  /// A = L L^H. Returns the order of the first leading minor that is not positive definite, or no_failure.
  static std::int64_t run(const Exec& exec, const ShardedMatrix<T, MemorySpace>& matrix,
                          const kernels::FailingMinor<Exec>& failing, char* workspace) {
    set_no_failure(exec, failing);
    kernels::Cholesky<Exec>::template run<T>(exec, slabs_of<T>(matrix), failing, workspace);
    return failing_minor(exec, failing);
  }
};

}  // namespace tessera::detail

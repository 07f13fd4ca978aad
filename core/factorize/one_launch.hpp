// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/matrix/leaves.hpp"
#include "core/matrix/slabs.hpp"
#include "core/matrix/workspace.hpp"
#include "core/tuning.hpp"
#include "kernels/backend.hpp"
#include "kernels/potrf.hpp"
#include "tessera/detail/schedule.hpp"
#include "tessera/detail/strided.hpp"
#include "tessera/distribution.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <cstring>
#include <vector>

namespace tessera::detail {

/// The factorisation where one device has all of a small matrix: steps would be a chain of small kernels. Other ranks
/// have none of it.
template <class T, class Exec>
class FactorizeInOneLaunch {
 public:
  using MemorySpace = typename Exec::memory_space;
  using Cholesky = kernels::Cholesky<Exec>;

  struct Outcome {
    /// The order of the first leading minor that is not positive definite, or no_failure.
    std::int64_t failing_minor = kernels::no_failure;
    double log_determinant = 0;  ///< a number if none fails
  };

  /// Whether that is fast; the plan of memory takes it that a device can. `moduli`: of updates by integers, or 0. It
  /// loads pieces of columns that an array that is adopted need not have where they are wanted.
  static bool suits(const SlabLayout& layout, int moduli, const Schedule& schedule) {
    constexpr std::int64_t block = Cholesky::template block<T>;
    const std::int64_t n = layout.rows.n;
    const Leaves<MemorySpace> leaves(layout);
    return schedule.one_launch && moduli == 0 && layout.adopted == 0 && fits_one_launch<T>(layout) &&
           n <= Tuning<MemorySpace>::template one_launch_rows<T> && (layout.count() <= 1 || layout.slab % block == 0) &&
           (leaves.all().size() <= 1 || leaves.width() % block == 0);
  }

  FactorizeInOneLaunch(Workspace<MemorySpace>& workspace, const SlabLayout& layout)
      : outcome_(workspace.template take<double>(outcome_size(layout.rows.n))),
        progress_(workspace.template take<char>(Cholesky::template workspace_bytes<T>(layout.rows.n))) {}

  /// A = L L^H, and the inverses of its leaves, complete when it returns.
  /// @pre this rank has the matrix, which is not empty
  Outcome run(const Exec& exec, const ShardedMatrix<T, MemorySpace>& matrix) const {
    static_assert(sizeof(std::int64_t) == sizeof(double));
    Cholesky::template run<T>(exec,
                              {slabs_of<T>(matrix), Leaves<MemorySpace>(matrix.layout()).width(),
                               matrix.leaf_inverses(), reinterpret_cast<std::int64_t*>(outcome_), outcome_ + 1},
                              progress_);
    std::vector<double> values(static_cast<std::size_t>(outcome_size(matrix.n())));
    copy_to_host<Exec, double>(exec, outcome_, values.data(), outcome_size(matrix.n()));
    Outcome outcome{};
    std::memcpy(&outcome.failing_minor, values.data(), sizeof outcome.failing_minor);
    for (std::size_t j = 1; j < values.size(); ++j) outcome.log_determinant += values[j];
    return outcome;
  }

 private:
  /// The failing minor, and the logarithms of each block.
  static std::int64_t outcome_size(std::int64_t n) {
    constexpr std::int64_t block = Cholesky::template block<T>;
    return 1 + (n + block - 1) / block;
  }

  double* outcome_;
  char* progress_;
};

}  // namespace tessera::detail

// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/queue.hpp"
#include "tessera/matrix_view.hpp"

#include <cstdint>

// The Cholesky factorisation of one tile.
namespace tessera::kernels {

/// The order of the first leading minor found not to be positive definite, or no_failure, in the memory of `Exec`.
template <class Exec>
using FailingMinor = Kokkos::View<std::int64_t, typename Exec::memory_space>;
inline constexpr std::int64_t no_failure = INT64_MAX;

/// A = L L^H in place, on the lower triangle of a square tile, above which A may change; of the diagonal the real part
/// is read. A pivot k (from 0) that is not positive lowers `failing` to offset + k + 1 and leaves NaNs from there on. A
/// denormal or infinite one is positive, as for LAPACK.
template <class T, class Exec>
void potrf(Queue<Exec>& queue, const MatrixView<T, typename Exec::memory_space>& a, std::int64_t offset,
           const FailingMinor<Exec>& failing);

}  // namespace tessera::kernels

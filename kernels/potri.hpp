// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/backend.hpp"
#include "kernels/queue.hpp"
#include "tessera/matrix_view.hpp"

// The two halves of an inverse on the host, A^-1 = L^-H L^-1, for one block of L, as LAPACK has them. Above its
// diagonal the block is neither read nor written.
namespace tessera::kernels {

/// L = L^-1. With X = L^-1, X L - I is as small as by substitution.
template <class T, class Exec>
requires is_host<Exec>
void trtri(Queue<Exec>& queue, const MatrixView<T, typename Exec::memory_space>& l);

/// The lower triangle of L^H L in L's place; its diagonal is real.
template <class T, class Exec>
requires is_host<Exec>
void lauum(Queue<Exec>& queue, const MatrixView<T, typename Exec::memory_space>& l);

}  // namespace tessera::kernels

// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/op.hpp"
#include "kernels/slabs_of_l.hpp"
#include "tessera/matrix_view.hpp"

#include <Kokkos_Core.hpp>

namespace tessera::kernels {

/// CudaSubstitution::run for double, where the products are made by tensor cores: B has 8 or 16 columns at
/// once.
void substitute_on_tensor_cores(const Kokkos::Cuda& exec, Op op, const SlabsOfL<double>& l,
                                const MatrixView<double, Kokkos::CudaSpace>& b, char* workspace);

}  // namespace tessera::kernels

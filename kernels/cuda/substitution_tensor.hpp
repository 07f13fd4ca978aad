#pragma once

#include "kernels/substitution.hpp"

#ifdef KOKKOS_ENABLE_CUDA

namespace tessera::kernels {

/// Substitution<Kokkos::Cuda>::run for double, where the products are made by tensor cores: B has 8 or 16 columns at
/// once.
void substitute_on_tensor_cores(const Kokkos::Cuda& exec, Op op, const SlabsOfL<double>& l,
                                const MatrixView<double, Kokkos::CudaSpace>& b, char* workspace);

}  // namespace tessera::kernels

#endif

#pragma once

#include "tessera/scalar.hpp"

#include <library_types.h>

namespace tessera::kernels {

template <class T>
inline constexpr bool is_single = sizeof(detail::RealOf<T>) == sizeof(float);

/// What CUDA's libraries call a scalar.
template <class T>
inline constexpr cudaDataType cuda_type = sizeof(T) == sizeof(detail::RealOf<T>)
                                              ? (is_single<T> ? CUDA_R_32F : CUDA_R_64F)
                                              : (is_single<T> ? CUDA_C_32F : CUDA_C_64F);

}  // namespace tessera::kernels

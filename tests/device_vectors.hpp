// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels.hpp"

#include <Kokkos_Core.hpp>

#include <vector>

// Vectors in the memory that kernels work on.
namespace tessera::testing {

template <class X>
Kokkos::View<X*, Space> to_device(const std::vector<X>& values) {
  const Kokkos::View<X*, Space> there("there", values.size());
  Kokkos::deep_copy(there, Kokkos::View<const X*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(
                               values.data(), values.size()));
  return there;
}
template <class X>
std::vector<X> to_vector(const Kokkos::View<X*, Space>& there) {
  std::vector<X> values(there.extent(0));
  Kokkos::deep_copy(
      Kokkos::View<X*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(values.data(), values.size()),
      there);
  return values;
}

}  // namespace tessera::testing

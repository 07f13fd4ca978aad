// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <tessera/tessera.hpp>

// What the pages' fragments take for granted: an application's own variables. They are compiled, and never linked.
extern Kokkos::DefaultExecutionSpace exec;
extern std::int64_t n, tile_size;
extern double samples;
extern tessera::ProcessGrid grid;
extern Kokkos::View<double**> a_rows, b_rows, jacobian;
extern Kokkos::View<double*> b, gradient, previous_dx;
extern Kokkos::View<long long*> ids;

KOKKOS_INLINE_FUNCTION double kernel(std::int64_t i, std::int64_t j) { return i == j ? 2. : 0.; }

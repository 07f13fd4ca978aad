// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/factorize/buffers.hpp"
#include "core/scalapack/call.hpp"
#include "core/scalapack/operand.hpp"
#include "core/scalapack/right_hand_sides.hpp"
#include "tessera/cholesky_factor.hpp"
#include "tessera/invert.hpp"

#include <cstdint>
#include <utility>

// What Tessera does of each routine, for any scalar.
namespace tessera::scalapack {

/// A = L L^H, where its memory is all there before an array changes.
template <class T>
CholeskyFactor<T, Space> factor(Operand<T>& a, bool& changed) {
  auto matrix = a.matrix();
  detail::Memory<Space> memory;
  detail::collectively(matrix.grid().communicator(), [&] {
    const std::int64_t bytes = detail::factorize_bytes<T, Exec>(matrix.layout(), {}, {});
    detail::Memory<Space>::reserve(memory.workspace, "tessera::Memory::workspace", bytes);
  });
  if (a.is_in_place()) changed = true;
  auto factored = detail::try_factorize<T>(Exec(), std::move(matrix), {}, memory);
  if (factored.leading_minor > 0) throw NotPositiveDefinite(factored.leading_minor);
  detail::FactorAccess<T, Space>::keep(factored.factor, std::move(memory));
  return std::move(factored.factor);
}

/// The factor that p?potrf has left in A.
/// @throws std::invalid_argument if it can't be one
template <class T>
CholeskyFactor<T, Space> factored(Operand<T>& a) {
  return CholeskyFactor<T, Space>::adopt(Exec(), a.matrix());
}

template <class T>
void solve(const CholeskyFactor<T, Space>& l, const Submatrix& part, T* b, bool& changed) {
  RightHandSides<T>(l.grid(), part, b).replace([&](const auto& rows) { l.solve(Exec(), rows); }, changed);
}

}  // namespace tessera::scalapack

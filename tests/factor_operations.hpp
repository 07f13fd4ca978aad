// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "watch.hpp"

#include <tessera/tessera.hpp>

#include <cstdint>
#include <ostream>

// What a factor does to right-hand sides, each by its name.
namespace tessera::detail {
inline std::ostream& operator<<(std::ostream& out, FactorOperation operation) { return out << name_of(operation); }
}  // namespace tessera::detail

namespace tessera::testing {

using detail::FactorOperation;

inline constexpr FactorOperation factor_operations[] = {FactorOperation::solve, FactorOperation::solve_lower,
                                                        FactorOperation::solve_upper, FactorOperation::multiply_lower,
                                                        FactorOperation::multiply_upper};

inline std::int64_t beside_the_plan_of(FactorOperation operation) {
  const bool product = operation == FactorOperation::multiply_lower || operation == FactorOperation::multiply_upper;
  return product ? beside_the_plan : 0;
}

/// Calls the member of `l` that is named so.
template <class Factor, class Exec, class B>
void call(FactorOperation operation, const Factor& l, const Exec& exec, const B& b) {
  switch (operation) {
    case FactorOperation::solve:
      return l.solve(exec, b);
    case FactorOperation::solve_lower:
      return l.solve_lower(exec, b);
    case FactorOperation::solve_upper:
      return l.solve_upper(exec, b);
    case FactorOperation::multiply_lower:
      return l.multiply_lower(exec, b);
    case FactorOperation::multiply_upper:
      return l.multiply_upper(exec, b);
  }
}

}  // namespace tessera::testing

// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support.hpp"

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

// A as an operator.
namespace tessera::testing {

template <class Rows, class F>
struct WriteRows {
  Rows rows;
  F f;
  std::int64_t first_row;
  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t j) const { rows(i, j) = f(first_row + i, j); }
};

/// A(i, j) = f(i, j), which notes what it is asked for; `before(call)` is run first in each call, counted from 0.
template <class F>
struct Operator {
  struct Call {
    std::int64_t first_row;
    std::int64_t rows;
    std::int64_t columns;
  };
  F f;
  std::function<void(std::size_t call)> before = {};
  std::vector<Call> calls = {};

  template <class Exec, class Rows>
  void to_dense(const Exec& exec, std::int64_t first_row, const Rows& rows) {
    calls.push_back({first_row, static_cast<std::int64_t>(rows.extent(0)), static_cast<std::int64_t>(rows.extent(1))});
    if (before) before(calls.size() - 1);
    Kokkos::parallel_for("test::to_dense",
                         Kokkos::MDRangePolicy<Exec, Kokkos::Rank<2>, Kokkos::IndexType<std::int64_t>>(
                             exec, {0, 0}, {calls.back().rows, calls.back().columns}),
                         WriteRows<Rows, F>{rows, f, first_row});
  }
};

}  // namespace tessera::testing

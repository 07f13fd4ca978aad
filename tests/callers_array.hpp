// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tessera::testing {

/// A rank's local array of an n x n block-cyclic matrix, as ScaLAPACK has it: in the lower triangle f(i, j), else NaN
/// and other numbers; so in what is between columns and behind the last one.
template <class T>
class CallersArray {
 public:
  using Space = Kokkos::DefaultExecutionSpace::memory_space;
  using View = Kokkos::View<T**, Kokkos::LayoutLeft, Space>;

  template <class F>
  CallersArray(const ProcessGrid& grid, std::int64_t n, std::int64_t tile, const F& f)
      : rows_{n, tile, grid.rows(), grid.row()},
        columns_{n, tile, grid.cols(), grid.col()},
        view_("a", static_cast<std::size_t>(rows_.local_extent() + 3),
              static_cast<std::size_t>(columns_.local_extent() + 1)),
        before_(Kokkos::create_mirror(view_)) {
    for (std::size_t j = 0; j < view_.extent(1); ++j) {
      for (std::size_t i = 0; i < view_.extent(0); ++i) {
        before_(i, j) = is_lower(i, j) ? f(row(i), column(j)) : other(i, j);
      }
    }
    Kokkos::deep_copy(view_, before_);
  }

  const View& view() const { return view_; }

  /// Whether all but the lower triangle is as it was, bit by bit.
  ::testing::AssertionResult keeps_the_rest() const {
    Kokkos::fence();
    const auto now = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), view_);
    for (std::size_t j = 0; j < view_.extent(1); ++j) {
      for (std::size_t i = 0; i < view_.extent(0); ++i) {
        if (is_lower(i, j) || std::memcmp(&now(i, j), &before_(i, j), sizeof(T)) == 0) continue;
        return ::testing::AssertionFailure() << "local element (" << i << ", " << j << ") has changed";
      }
    }
    return ::testing::AssertionSuccess();
  }

 private:
  /// What is read shows as a NaN, and what is written as another number: a NaN would stay one, with the same bits.
  static T other(std::size_t i, std::size_t j) {
    return (i + j) % 2 == 0 ? scalar<T>(NAN, NAN) : scalar<T>(1 + static_cast<double>(i), static_cast<double>(j) / 3);
  }
  std::int64_t row(std::size_t i) const { return rows_.to_global(LocalIndex{static_cast<std::int64_t>(i)}).value; }
  std::int64_t column(std::size_t j) const {
    return columns_.to_global(LocalIndex{static_cast<std::int64_t>(j)}).value;
  }
  bool is_lower(std::size_t i, std::size_t j) const {
    return static_cast<std::int64_t>(i) < rows_.local_extent() &&
           static_cast<std::int64_t>(j) < columns_.local_extent() && row(i) >= column(j);
  }

  BlockCyclic rows_;
  BlockCyclic columns_;
  View view_;
  decltype(Kokkos::create_mirror(View())) before_;
};

}  // namespace tessera::testing

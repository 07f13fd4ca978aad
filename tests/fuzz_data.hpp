// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "fuzz_case.hpp"
#include "jacobians.hpp"

#include <cstddef>
#include <cstdint>
#include <type_traits>

// The matrices and Views of a FuzzCase.
namespace tessera::testing {

/// A: Dominant, less the shift on its diagonal, with a defect.
template <class T>
struct Element {
  Dominant<T> f;
  double scale;
  double shift;
  Defect defect;
  std::int64_t k;
  std::int64_t left;

  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    const auto real_scale = static_cast<Real<T>>(scale);
    const auto on_diagonal = [&](double x) { return scalar<T>(x, 0) * real_scale; };
    const std::int64_t row = i > j ? i : j;
    const std::int64_t column = i > j ? j : i;
    if (row == k && column == k) {
      if (defect == Defect::negative_pivot) return on_diagonal(-0.5 - shift);
      if (defect == Defect::zero_pivot) return on_diagonal(-shift);
      if (defect == Defect::nan_on_diagonal) return scalar<T>(NAN, 0);
      if (defect == Defect::minus_inf_on_diagonal) return scalar<T>(-INFINITY, 0);
    } else if (row == k) {
      if (defect == Defect::zero_pivot) return T(0);
      if (column == left && defect == Defect::nan_on_left) return scalar<T>(NAN, 0);
      if (column == left && defect == Defect::inf_on_left) return scalar<T>(INFINITY, 0);
    }
    if (i == j) return on_diagonal(static_cast<double>(detail::real(f(i, i))) - shift);
    return f(i, j) * real_scale;
  }
};

/// What the caller passes as A: in the other triangle NaN, and on the diagonal an imaginary part to be ignored.
template <class T>
struct Passed {
  Element<T> f;
  Triangle triangle;
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    if (triangle == Triangle::lower ? i < j : i > j) return scalar<T>(NAN, NAN);
    return i == j ? f(i, j) + scalar<T>(0, 3 * f.scale) : f(i, j);
  }
};

/// A + shift I, for `fill`.
template <class F, class T>
struct Shifted {
  F f;
  T shift;
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const { return i == j ? f(i, j) + shift : f(i, j); }
};
template <class T>
struct Zero {
  KOKKOS_FUNCTION T operator()(std::int64_t, std::int64_t) const { return T(0); }
};

/// A Jacobian as large as `scale`, with a NaN, if there is one.
template <class T>
struct FuzzJacobian {
  Jacobian<T> f;
  double scale;
  std::int64_t nan_sample = -1;
  std::int64_t nan_parameter = -1;
  KOKKOS_FUNCTION T operator()(std::int64_t s, std::int64_t k) const {
    if (s == nan_sample && k == nan_parameter) return scalar<T>(NAN, NAN);
    return f(s, k) * static_cast<Real<T>>(scale);
  }
};

/// A View inside of a larger allocation, which holds NaN around it and between its elements.
template <class View>
class Framed {
 public:
  using T = typename View::value_type;

  View view;

  Framed(std::int64_t rows, std::int64_t columns, Strides strides) {
    const auto m = static_cast<std::size_t>(rows);
    const auto n = static_cast<std::size_t>(columns);
    if constexpr (!std::is_same_v<typename View::array_layout, Kokkos::LayoutStride>) {
      if constexpr (View::rank == 1) {
        const View whole("framed", m + 3);
        keep(whole.data(), whole.span());
        view = Kokkos::subview(whole, Kokkos::make_pair(std::size_t{1}, m + 1));
      } else {
        const View whole("framed", m + 3, n + 2);
        keep(whole.data(), whole.span());
        view =
            Kokkos::subview(whole, Kokkos::make_pair(std::size_t{1}, m + 1), Kokkos::make_pair(std::size_t{1}, n + 1));
      }
    } else {
      if constexpr (View::rank == 1) {
        view = View("framed", Kokkos::LayoutStride(m, 3));
      } else {
        const std::size_t all_strides[][2] = {{2 * n + 3, 2}, {2, 2 * m + 3}, {n, 1}, {1, m}};
        const auto& [of_rows, of_columns] = all_strides[static_cast<int>(strides)];
        view = View("framed", Kokkos::LayoutStride(m, of_rows, n, of_columns));
      }
      keep(view.data(), view.size() == 0 ? 0 : view.span());
    }
  }

  /// All that was allocated.
  HostMatrix<T> all() const { return to_host(all_); }

 private:
  using Numbers = Kokkos::View<T*, typename View::memory_space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  void keep(T* data, std::size_t count) {
    all_ = Numbers(data, count);
    Kokkos::deep_copy(all_, scalar<T>(NAN, NAN));
  }

  Numbers all_;
};

}  // namespace tessera::testing

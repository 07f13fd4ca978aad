// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/backend.hpp"
#include "support.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace tessera::testing {

/// The same bits; on a device, which has other kernels for another leading dimension or number of ranks, within
/// rounding of T.
template <class T, class Number>
bool alike(const std::vector<Number>& a, const std::vector<Number>& b) {
  if (kernels::is_host<Kokkos::DefaultExecutionSpace> || a.size() != b.size()) return a == b;
  using std::abs;
  double largest = 0;
  double difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, static_cast<double>(abs(b[i])));
    difference = std::max(difference, static_cast<double>(abs(a[i] - b[i])));
  }
  return difference <= 1000 * static_cast<double>(epsilon<T>()) * largest;
}
template <class T, class Number>
bool alike(const HostMatrix<Number>& a, const HostMatrix<Number>& b) {
  return alike<T>(std::vector<Number>(a.data(), a.data() + a.size()),
                  std::vector<Number>(b.data(), b.data() + b.size()));
}
template <class T>
bool alike(double a, double b) {
  return alike<T>(std::vector<double>{a}, std::vector<double>{b});
}

}  // namespace tessera::testing

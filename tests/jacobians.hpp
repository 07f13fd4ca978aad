// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/tuning.hpp"
#include "support.hpp"

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

// Jacobians, and their Gram matrices in long double.
namespace tessera::testing {

/// So many lines of a Jacobian that they are taken in several chunks, the last one ragged.
template <class Space>
std::int64_t several_chunks(std::int64_t n) {
  return 2 * detail::Tuning<Space>::gram_depth(n) + 37;
}

/// J(s, k), which depends on (s, k) alone; `offset` is added to each number.
template <class T>
struct Jacobian {
  double offset = 0;

  KOKKOS_FUNCTION T operator()(std::int64_t s, std::int64_t k) const {
    return scalar<T>(offset + noise(s, k, 21), noise(s, k, 22) - offset);
  }
};

/// This rank's samples of J.
template <class View, class F>
View make_samples(const Shards& shards, int rank, std::int64_t parameters, const F& f) {
  const std::int64_t begin = shards[static_cast<std::size_t>(rank)];
  const std::int64_t samples = shards[static_cast<std::size_t>(rank) + 1] - begin;
  View j("j", static_cast<std::size_t>(samples), static_cast<std::size_t>(parameters));
  set(j, [&](std::int64_t at) { return f(begin + at / parameters, at % parameters); });
  return j;
}

template <class Block, class F>
struct WriteWindow {
  Block block;
  F f;
  std::int64_t first_sample;
  std::int64_t first_parameter;
  KOKKOS_FUNCTION void operator()(std::int64_t s, std::int64_t k) const {
    block(s, k) = f(first_sample + s, first_parameter + k);
  }
};

/// The same as an operator, which notes what it is asked for; `before(call)` is run first in each call, counted from 0.
template <class F>
struct JacobianOperator {
  F f;
  Shards shards;
  int rank;
  std::int64_t parameters;
  std::function<void(std::size_t call)> before = {};
  std::vector<detail::Window> calls = {};

  std::int64_t first() const { return shards[static_cast<std::size_t>(rank)]; }
  std::int64_t extent(int r) const {
    return r == 1 ? parameters : shards[static_cast<std::size_t>(rank) + 1] - first();
  }
  template <class Exec, class Block>
  void to_dense(const Exec& exec, std::int64_t first_row, std::int64_t first_column, const Block& block) {
    const auto rows = static_cast<std::int64_t>(block.extent(0));
    const auto columns = static_cast<std::int64_t>(block.extent(1));
    calls.push_back({first_row, first_row + rows, first_column, first_column + columns});
    if (before) before(calls.size() - 1);
    Kokkos::parallel_for(
        "test::to_dense",
        Kokkos::MDRangePolicy<Exec, Kokkos::Rank<2>, Kokkos::IndexType<std::int64_t>>(exec, {0, 0}, {rows, columns}),
        WriteWindow<Block, F>{block, f, first() + first_row, first_column});
  }
};

/// alpha X X^H for X = J or J^H, centred, and for each element a bound of what rounding may do to it.
class GramReference {
 public:
  template <class F>
  GramReference(std::int64_t samples, std::int64_t parameters, const F& f, const GramOptions& options)
      : sharded_rows_(options.form == GramForm::j_jh),
        n_(sharded_rows_ ? samples : parameters),
        depth_(sharded_rows_ ? parameters : samples),
        alpha_(static_cast<long double>(options.alpha)),
        x_(static_cast<std::size_t>(n_ * depth_)) {
    long double largest = 0;
    for (std::int64_t s = 0; s < samples; ++s) {
      for (std::int64_t k = 0; k < parameters; ++k) {
        element(s, k) = wide(f(s, k));
        largest = std::max(largest, std::abs(element(s, k)));
      }
    }
    if (options.subtract_column_means) {
      for (std::int64_t k = 0; k < parameters; ++k) {
        subtract_mean(samples, [&](std::int64_t s) -> Wide& { return element(s, k); });
      }
    }
    if (options.subtract_row_means) {
      for (std::int64_t s = 0; s < samples; ++s) {
        subtract_mean(parameters, [&](std::int64_t k) -> Wide& { return element(s, k); });
      }
    }
    if (!sharded_rows_) {
      for (Wide& x : x_) x = std::conj(x);
    }
    for (const Wide& x : x_) size_ = std::max(size_, std::abs(x));
    largest_ = largest;
  }

  std::int64_t n() const { return n_; }
  Wide operator()(std::int64_t i, std::int64_t j) const {
    Wide sum = 0;
    for (std::int64_t k = 0; k < depth_; ++k) sum += x_[at(i, k)] * std::conj(x_[at(j, k)]);
    return alpha_ * sum;
  }
  /// What rounding may do to an element: in the product, with the scalar's epsilon, and, at random, where means that
  /// are known to double precision are subtracted.
  long double error(double epsilon) const {
    const auto terms = static_cast<long double>(depth_ + 4);
    return std::abs(alpha_) * size_ *
           (8 * terms * size_ * epsilon + 4 * std::sqrt(terms) * largest_ * std::numeric_limits<double>::epsilon());
  }

 private:
  std::size_t at(std::int64_t i, std::int64_t k) const { return static_cast<std::size_t>(i * depth_ + k); }
  Wide& element(std::int64_t s, std::int64_t k) { return x_[sharded_rows_ ? at(s, k) : at(k, s)]; }

  template <class Number>
  static void subtract_mean(std::int64_t count, const Number& number) {
    Wide sum = 0;
    for (std::int64_t i = 0; i < count; ++i) sum += number(i);
    for (std::int64_t i = 0; i < count; ++i) number(i) -= sum / static_cast<long double>(count);
  }

  bool sharded_rows_;
  std::int64_t n_;
  std::int64_t depth_;
  long double alpha_;
  std::vector<Wide> x_;
  long double size_ = 0;
  long double largest_ = 0;
};

}  // namespace tessera::testing

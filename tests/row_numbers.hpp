// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <ostream>
#include <vector>

// Rows of which each rank has some, in any order: which rank has which, and what tests of them have in common.
namespace tessera::testing {

template <class T>
struct RowsTest : ::testing::Test {
  using Columns = Kokkos::View<T**, Kokkos::LayoutLeft, Kokkos::DefaultExecutionSpace::memory_space>;

  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);
  Kokkos::DefaultExecutionSpace exec;

  /// Rows `numbers` of all.
  static HostMatrix<T> rows_of(const HostMatrix<T>& all, const std::vector<std::int64_t>& numbers) {
    const HostMatrix<T> some("some", numbers.size(), all.extent(1));
    for (std::size_t k = 0; k < numbers.size(); ++k) {
      for (std::size_t c = 0; c < all.extent(1); ++c) some(k, c) = all(numbers[k], c);
    }
    return some;
  }
  /// b = these rows of all.
  template <class View>
  static void set_rows(const View& b, const HostMatrix<T>& all, const std::vector<std::int64_t>& numbers) {
    const auto some = rows_of(all, numbers);
    set(b, [&](std::int64_t k) { return some.data()[k]; });
  }
};

/// The numbers of each rank's rows, in its order.
using RowNumbers = std::vector<std::vector<std::int64_t>>;

inline RowNumbers round_robin(std::int64_t n, int ranks) {
  RowNumbers numbers(static_cast<std::size_t>(ranks));
  for (std::int64_t i = 0; i < n; ++i) numbers[static_cast<std::size_t>(i % ranks)].push_back(i);
  return numbers;
}

/// order[0], order[1], ..., dealt out in these shards.
inline RowNumbers dealt(const std::vector<std::int64_t>& order, const Shards& shards) {
  RowNumbers numbers;
  for (std::size_t r = 0; r + 1 < shards.size(); ++r) {
    numbers.emplace_back(order.begin() + shards[r], order.begin() + shards[r + 1]);
  }
  return numbers;
}

/// A random permutation, the same on every rank.
inline std::vector<std::int64_t> shuffled(std::int64_t n, std::uint64_t seed) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::sort(order.begin(), order.end(),
            [seed](std::int64_t i, std::int64_t j) { return noise(i, 0, seed) < noise(j, 0, seed); });
  return order;
}

struct Dealing {
  const char* name;
  RowNumbers numbers;
};

inline std::vector<Dealing> all_dealings(std::int64_t n, int ranks) {
  std::vector<std::int64_t> reversed(static_cast<std::size_t>(n));
  std::iota(reversed.rbegin(), reversed.rend(), std::int64_t{0});
  std::vector<std::int64_t> in_order(reversed.rbegin(), reversed.rend());
  Shards last(static_cast<std::size_t>(ranks) + 1);
  last.back() = n;
  RowNumbers other_way = dealt(in_order, even_shards(n, ranks));
  std::reverse(other_way.begin(), other_way.end());
  return {{"in order", dealt(in_order, ragged_shards(n, ranks))},
          {"round robin", round_robin(n, ranks)},
          {"the last rank first", other_way},
          {"reversed", dealt(reversed, even_shards(n, ranks))},
          {"shuffled, ragged", dealt(shuffled(n, 5), ragged_shards(n, ranks))},
          {"shuffled, on the last rank", dealt(shuffled(n, 6), last)}};
}

template <class Ids>
Ids make_ids(const std::vector<std::int64_t>& numbers) {
  const Kokkos::View<typename Ids::non_const_value_type*, typename Ids::array_layout, typename Ids::memory_space> ids(
      "ids", numbers.size());
  const auto host = Kokkos::create_mirror_view(ids);
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    host(k) = static_cast<typename Ids::non_const_value_type>(numbers[k]);
  }
  Kokkos::deep_copy(ids, host);
  return ids;
}

using HostIds = Kokkos::View<std::int64_t*, Kokkos::HostSpace>;

/// RowIds of these rows of A(i, j) = f(i, j); outside `triangle`, NaN, and on the diagonal an imaginary part.
template <class View, class Ids = HostIds, class F>
auto make_row_ids(const std::vector<std::int64_t>& numbers, std::int64_t n, const F& f,
                  Triangle triangle = Triangle::lower) {
  using T = typename View::non_const_value_type;
  const View rows("rows", numbers.size(), static_cast<std::size_t>(n));
  const auto host = Kokkos::create_mirror_view(rows);
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    for (std::int64_t j = 0; j < n; ++j) {
      const bool read = triangle == Triangle::lower ? numbers[k] >= j : numbers[k] <= j;
      host(k, j) = read ? f(numbers[k], j) : scalar<T>(NAN, NAN);
      if (numbers[k] == j) host(k, j) += scalar<T>(0, 3);
    }
  }
  Kokkos::deep_copy(rows, host);
  return RowIds{rows, make_ids<Ids>(numbers)};
}

}  // namespace tessera::testing

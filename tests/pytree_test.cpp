// SPDX-License-Identifier: BSD-3-Clause
#include "support.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory_resource>
#include <numeric>
#include <random>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

// b as a View or a tree of Views: in what order it is ravelled, and what x is made of.
namespace tessera::testing {
namespace {

using Space = Kokkos::DefaultExecutionSpace::memory_space;
using Left = Kokkos::LayoutLeft;
using Right = Kokkos::LayoutRight;
using Stride = Kokkos::LayoutStride;
using Unmanaged = Kokkos::MemoryTraits<Kokkos::Unmanaged>;
using RandomAccess = Kokkos::MemoryTraits<Kokkos::RandomAccess>;

template <class B>
using SolutionOf =
    decltype(cholesky_distributed(MPI_COMM_WORLD, std::declval<const Kokkos::View<double**, Right, Space>&>(),
                                  std::declval<const B&>())
                 .x);
template <class B, class X>
constexpr bool solved_by = std::is_same_v<SolutionOf<B>, X>;

// x has b's type, however that is spelled
template <class B>
constexpr bool solved_by_its_own = solved_by<B, B>;
static_assert(solved_by_its_own<Kokkos::View<double*>>);
static_assert(solved_by_its_own<Kokkos::View<double**>>);
static_assert(solved_by_its_own<Kokkos::View<double*, Space>>);
static_assert(solved_by_its_own<Kokkos::View<double**, Left>>);
static_assert(solved_by_its_own<Kokkos::View<double*, Kokkos::DefaultExecutionSpace>>);
static_assert(solved_by_its_own<Kokkos::View<double**, Stride, Kokkos::DefaultExecutionSpace::device_type>>);
static_assert(solved_by_its_own<Kokkos::View<double**, Right, Space, Kokkos::MemoryTraits<0>>>);
static_assert(solved_by_its_own<Kokkos::View<double*, Space, RandomAccess>>);
static_assert(solved_by_its_own<std::array<Kokkos::View<double[3], Right, Space>, 2>>);
static_assert(solved_by_its_own<std::pmr::vector<Kokkos::View<double*>>>);
static_assert(solved_by_its_own<std::tuple<Kokkos::View<double, Space>, std::tuple<std::vector<Kokkos::View<double*>>>,
                                           Kokkos::View<double****, Left, Kokkos::HostSpace>>>);

// but it can be written, and owns its memory
static_assert(solved_by<Kokkos::View<const double**, Left, Space, Unmanaged>, Kokkos::View<double**, Left, Space>>);
static_assert(solved_by<Kokkos::View<double*, Right, Space, Unmanaged>, Kokkos::View<double*, Right, Space>>);
static_assert(solved_by<Kokkos::View<const double**, Stride, Kokkos::HostSpace>,
                        Kokkos::View<double**, Stride, Kokkos::HostSpace>>);
static_assert(solved_by<Kokkos::View<const double*, Right, Space, RandomAccess>, Kokkos::View<double*, Right, Space>>);
static_assert(solved_by<std::vector<Kokkos::View<const double**, Left, Space>>,
                        std::vector<Kokkos::View<double**, Left, Space>>>);
static_assert(solved_by<std::tuple<const Kokkos::View<double*>>, std::tuple<Kokkos::View<double*>>>);

/// `body(leaf)` for each View of a tree, in order: written apart from the library's.
template <class View, class Body>
requires Kokkos::is_view<View>::value void for_each_leaf(const View& leaf, const Body& body) { body(leaf); }
template <class... Parts, class Body>
void for_each_leaf(const std::tuple<Parts...>& tree, const Body& body);
template <class Part, class Body>
void for_each_leaf(const std::vector<Part>& tree, const Body& body);
template <class Part, std::size_t size, class Body>
void for_each_leaf(const std::array<Part, size>& tree, const Body& body) {
  for (const auto& part : tree) for_each_leaf(part, body);
}
template <class Part, class Body>
void for_each_leaf(const std::vector<Part>& tree, const Body& body) {
  for (const auto& part : tree) for_each_leaf(part, body);
}
template <class... Parts, class Body>
void for_each_leaf(const std::tuple<Parts...>& tree, const Body& body) {
  std::apply([&](const auto&... parts) { (for_each_leaf(parts, body), ...); }, tree);
}

/// All numbers of a tree, leaves in order, C order within each.
template <class T, class Tree>
std::vector<T> ravelled(const Tree& tree) {
  std::vector<T> all;
  for_each_leaf(tree, [&](const auto& leaf) {
    const auto host = to_host(leaf);
    all.insert(all.end(), host.data(), host.data() + host.size());
  });
  return all;
}

/// First and last address that a View owns.
template <class View>
std::pair<const void*, const void*> memory_of(const View& v) {
  return {v.data(), v.data() + v.span()};
}
using Ranges = std::vector<std::pair<const void*, const void*>>;
template <class Tree>
Ranges memory_of_tree(const Tree& tree) {
  Ranges ranges;
  for_each_leaf(tree, [&](const auto& leaf) {
    if (leaf.size() > 0) ranges.push_back(memory_of(leaf));
  });
  return ranges;
}
bool overlap(const Ranges& a, const Ranges& b) {
  const std::less<const void*> before;
  for (const auto& [a_begin, a_end] : a) {
    for (const auto& [b_begin, b_end] : b) {
      if (before(a_begin, b_end) && before(b_begin, a_end)) return true;
    }
  }
  return false;
}

template <class T>
struct PytreeTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);

  auto rows(std::int64_t n) const {
    return make_rows<Kokkos::View<T**, Right, Space>>(ragged_shards(n, ranks), rank, n, Dominant<T>{n});
  }

  /// Fills the leaves of `b`, solves with it and with the ravelled numbers, and compares. Returns x.
  template <class Tree>
  auto check(const Tree& b) const {
    std::uint64_t seed = 1;
    for_each_leaf(b, [&](const auto& leaf) { set_noise(leaf, seed++); });
    return check_filled(b);
  }
  template <class Tree>
  auto check_filled(const Tree& b) const {
    const std::vector<T> right = ravelled<T>(b);
    const auto n = static_cast<std::int64_t>(right.size());
    const Kokkos::View<T*, Space> flat("flat", right.size());
    set(flat, [&](std::int64_t k) { return right[static_cast<std::size_t>(k)]; });
    const CholeskyOptions options{.local_tile_size = 8};
    const auto a = rows(n);
    const auto expected = ravelled<T>(cholesky_distributed(comm, a, flat, options).x);
    const auto [x, info] = cholesky_distributed(comm, a, b, options);
    expect_equal(ravelled<T>(x), expected);
    expect_equal(ravelled<T>(b), right);
    std::vector<std::size_t> extents;
    for_each_leaf(b, [&](const auto& leaf) {
      for (std::size_t r = 0; r < leaf.rank; ++r) extents.push_back(leaf.extent(r));
    });
    std::vector<std::size_t> x_extents;
    for_each_leaf(x, [&](const auto& leaf) {
      for (std::size_t r = 0; r < leaf.rank; ++r) x_extents.push_back(leaf.extent(r));
      EXPECT_TRUE(leaf.span_is_contiguous());
      EXPECT_EQ(leaf.span(), leaf.size()) << "x is not compact";
      if (leaf.size() > 0) {
        EXPECT_EQ(leaf.use_count(), 1) << "someone else holds on to x";
      }
    });
    EXPECT_EQ(x_extents, extents);
    EXPECT_FALSE(overlap(memory_of_tree(x), memory_of_tree(b)));
    const auto again = cholesky_distributed(comm, a, b, options).x;
    EXPECT_FALSE(overlap(memory_of_tree(x), memory_of_tree(again)));
    expect_equal(ravelled<T>(x), expected);
    return x;
  }

  static void expect_equal(const std::vector<T>& a, const std::vector<T>& b) {
    ASSERT_EQ(a.size(), b.size());
    EXPECT_TRUE(a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
  }
};
// what b is made of does not depend on the scalar: one real, one complex
using TreeScalars = ::testing::Types<double, Kokkos::complex<float>>;
TYPED_TEST_SUITE(PytreeTest, TreeScalars);

TYPED_TEST(PytreeTest, VectorsOfAnyKind) {
  using T = TypeParam;
  this->check(Kokkos::View<T*, Right, Space>("b", 29));
  this->check(Kokkos::View<T*, Left, Space>("b", 29));
  const auto x = this->check(Kokkos::View<T*, Stride, Space>("b", Stride(29, 3)));
  EXPECT_EQ(x.stride(0), 1U);
  const Kokkos::View<T*, Space> b("b", 29);
  set_noise(b, 4);
  this->check_filled(Kokkos::View<const T*, Space>(b));
  this->check_filled(Kokkos::View<T*, Space, Unmanaged>(b));
  this->check_filled(Kokkos::View<T*, Space, RandomAccess>(b));
  this->check_filled(Kokkos::subview(b, Kokkos::make_pair(3, 20)));
}

TYPED_TEST(PytreeTest, XGoesWhereverBGoes) {
  using Vector = Kokkos::View<TypeParam*>;
  const auto a = this->rows(20);
  const std::function<Vector(const Vector&)> solve = [&](const Vector& b) {
    return cholesky_distributed(this->comm, a, b).x;
  };
  const Vector b("b", 20);
  set_noise(b, 3);
  std::vector<Vector> solutions{b};
  solutions.push_back(solve(solutions.back()));
  EXPECT_TRUE(same_bits(to_host(solutions.back()), to_host(cholesky_distributed(this->comm, a, b).x)));
}

TYPED_TEST(PytreeTest, MatricesOfAnyLayoutAreColumns) {
  using T = TypeParam;
  const std::int64_t n = 29;
  const auto a = this->rows(n);
  const CholeskyOptions options{.local_tile_size = 8};
  const Kokkos::View<T**, Right, Space> right("right", 29, 4);
  const Kokkos::View<T**, Left, Space> left("left", 29, 4);
  const Kokkos::View<T**, Stride, Space> rows_apart("rows_apart", Stride(29, 11, 4, 2));
  const Kokkos::View<T**, Stride, Space> columns_apart("columns_apart", Stride(29, 2, 4, 70));
  set_noise(right, 6);
  copy_elements(right, left);
  copy_elements(right, rows_apart);
  copy_elements(right, columns_apart);
  const auto expected = to_host(cholesky_distributed(this->comm, a, right, options).x);
  if (this->rank == 0) {
    EXPECT_LE(backward_error(n, Dominant<T>{n}, 0, expected, to_host(right)), 4 * epsilon<T>());
  }
  EXPECT_TRUE(same_bits(expected, to_host(cholesky_distributed(this->comm, a, left, options).x)));
  const Kokkos::View<const T**, Left, Space> of_const = left;
  EXPECT_TRUE(same_bits(expected, to_host(cholesky_distributed(this->comm, a, of_const, options).x)));

  // compact, and the dimension that was the faster one still is
  const auto x = cholesky_distributed(this->comm, a, rows_apart, options).x;
  EXPECT_TRUE(same_bits(expected, to_host(x)));
  EXPECT_EQ(x.stride(0), 4U);
  EXPECT_EQ(x.stride(1), 1U);
  const auto y = cholesky_distributed(this->comm, a, columns_apart, options).x;
  EXPECT_TRUE(same_bits(expected, to_host(y)));
  EXPECT_EQ(y.stride(0), 1U);
  EXPECT_EQ(y.stride(1), 29U);
}

TYPED_TEST(PytreeTest, TupleOfEveryRankAndLayout) {
  using T = TypeParam;
  this->check(std::make_tuple(
      Kokkos::View<T, Space>("0"), Kokkos::View<T*, Space>("1", 3), Kokkos::View<T**, Left, Space>("2l", 2, 3),
      Kokkos::View<T**, Right, Space>("2r", 3, 2), Kokkos::View<T**, Stride, Space>("2s", Stride(2, 9, 2, 3)),
      Kokkos::View<T***, Left, Space>("3", 2, 3, 2), Kokkos::View<T***, Right, Space>("3", 2, 1, 2),
      Kokkos::View<T****, Left, Space>("4", 2, 1, 2, 3), Kokkos::View<T* [2], Right, Space>("static", 2),
      Kokkos::View<T***, Left, Kokkos::HostSpace>("host", 2, 2, 2)));
}

TYPED_TEST(PytreeTest, ALoneMatrixInATreeIsRavelled) {
  using T = TypeParam;
  const auto x = this->check(std::make_tuple(Kokkos::View<T**, Left, Space>("b", 5, 7)));
  EXPECT_EQ(std::get<0>(x).extent(1), 7U);
}

TYPED_TEST(PytreeTest, ArraysVectorsAndNests) {
  using T = TypeParam;
  using Vector = Kokkos::View<T*, Space>;
  using Matrix = Kokkos::View<T**, Left, Space>;
  this->check(std::array<Matrix, 3>{Matrix("a", 2, 3), Matrix("b", 1, 4), Matrix("c", 3, 3)});
  this->check(std::vector<Vector>{Vector("a", 4), Vector("b", 1), Vector("c", 9)});
  this->check(std::make_tuple(std::vector<Matrix>{Matrix("a", 2, 3), Matrix("b", 3, 2)},
                              std::make_tuple(Vector("c", 2), std::array<Vector, 2>{Vector("d", 1), Vector("e", 3)}),
                              std::vector<std::vector<Vector>>{{Vector("f", 2)}, {}, {Vector("g", 1), Vector("h", 4)}},
                              Kokkos::View<T, Space>("i")));
}

TYPED_TEST(PytreeTest, LeavesOfConst) {
  using T = TypeParam;
  const Kokkos::View<T**, Left, Space> matrix("matrix", 4, 3);
  const Kokkos::View<T*, Stride, Space> strided("strided", Stride(5, 4));
  set_noise(matrix, 1);
  set_noise(strided, 2);
  this->check_filled(
      std::make_tuple(Kokkos::View<const T**, Left, Space>(matrix), Kokkos::View<const T*, Stride, Space>(strided)));
}

TYPED_TEST(PytreeTest, NothingInIt) {
  using T = TypeParam;
  using Vector = Kokkos::View<T*, Space>;
  using Matrix = Kokkos::View<T**, Left, Space>;
  this->check(std::vector<Vector>{});
  this->check(std::array<Vector, 2>{Vector("a", 0), Vector("b", 0)});
  this->check(std::make_tuple(std::vector<Matrix>{}, Vector("a", 6), Matrix("b", 0, 3), Matrix("c", 3, 0),
                              Kokkos::View<T***, Space>("d", 2, 0, 2), Vector("e", 5)));
}

TYPED_TEST(PytreeTest, TheSameLeafTwice) {
  using Vector = Kokkos::View<TypeParam*, Space>;
  const Vector leaf("leaf", 6);
  const auto x = this->check(std::array<Vector, 2>{leaf, leaf});
  EXPECT_FALSE(overlap(memory_of_tree(x[0]), memory_of_tree(x[1])));
}

TYPED_TEST(PytreeTest, XOutlivesBAndLaterCalls) {
  using T = TypeParam;
  const auto solve = [&](std::uint64_t seed) {
    const Kokkos::View<T*, Space> b("b", 20);
    set_noise(b, seed);
    return cholesky_distributed(this->comm, this->rows(20), b).x;
  };
  const auto x = solve(1);
  const auto before = to_host(x);
  const auto y = solve(2);
  EXPECT_TRUE(same_bits(before, to_host(x)));
  Kokkos::deep_copy(y, T(7));  // written to, it belongs to the caller
  EXPECT_TRUE(same_bits(before, to_host(solve(1))));
}

// Elements of the same indices, in whatever order and with whatever gaps either side has them.
TEST(CopyElementsTest, AnyExtentsAndStrides) {
  using Numbers = Kokkos::View<double*, Space>;
  std::mt19937_64 random(1);
  const auto below = [&](std::uint64_t most) { return static_cast<std::int64_t>(random() % most); };
  for (int trial = 0; trial < 200; ++trial) {
    const int rank = static_cast<int>(below(5));
    const auto strided = [&](const std::int64_t* extents) {  // its data is yet to come
      detail::Strided<double> s{nullptr, rank};
      std::vector<int> order(static_cast<std::size_t>(rank));
      std::iota(order.begin(), order.end(), 0);
      std::shuffle(order.begin(), order.end(), random);
      std::int64_t stride = 1 + below(2);
      for (const int r : order) {
        s.extent[r] = extents[r];
        s.stride[r] = stride;
        stride = stride * std::max<std::int64_t>(1, extents[r]) + below(2) * below(3);
      }
      return s;
    };
    std::int64_t extents[4] = {};
    for (std::int64_t& extent : extents) extent = below(8) == 0 ? below(40) : 1 + below(5);
    detail::Strided<double> from = strided(extents);
    detail::Strided<double> to = strided(extents);
    const Numbers of_from("from", static_cast<std::size_t>(from.span()));
    const Numbers of_to("to", static_cast<std::size_t>(to.span()));
    from.data = of_from.data();
    to.data = of_to.data();
    set_noise(of_from, static_cast<std::uint64_t>(trial));
    set_noise(of_to, 1000);
    const auto before = to_host(of_from);
    const auto expected = to_host(of_to);
    const auto place_of = [](detail::Strided<double> s, double* data) {
      s.data = data;
      return s;
    };
    for (std::int64_t k = 0; k < from.size(); ++k) {
      place_of(to, expected.data())[k] = place_of(from, before.data())[k];
    }
    const Kokkos::DefaultExecutionSpace exec;
    detail::copy_elements("test", exec, detail::read_only(from), to);
    exec.fence();
    EXPECT_TRUE(same_bits(expected, to_host(of_to))) << "trial " << trial << ", rank " << rank;
  }
}

}  // namespace
}  // namespace tessera::testing

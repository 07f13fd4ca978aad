// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/by_rows.hpp>
#include <tessera/detail/row_shards.hpp>
#include <tessera/detail/saturated.hpp>
#include <tessera/detail/strided.hpp>
#include <tessera/row_ids.hpp>
#include <tessera/scalar.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

// b and x: a View, or a tree of Views that are read one after the other.
namespace tessera::detail {

/// Whether x can have the type of b's View: whether new memory of that type can be made and written.
template <class View>
inline constexpr bool is_writable_and_managed =
    std::is_same_v<typename View::data_type, typename View::non_const_data_type> && !View::memory_traits::is_unmanaged;

/// The type of x's View for a View of b: the same, if x can have it; else one of the same layout and memory space.
template <class View>
using SolutionView = std::conditional_t<
    is_writable_and_managed<View>, std::remove_cv_t<View>,
    Kokkos::View<typename View::non_const_data_type, typename View::array_layout, typename View::memory_space>>;

/// Whether x takes the place of b.
template <class B>
inline constexpr bool is_replaced = false;

/// What can be done with b: a View here, and rows of one, or a tuple, an array or a vector of trees below.
template <class B>
struct Tree {
  static_assert(Kokkos::is_view<B>::value, "b is a View, a std::tuple, std::array or std::vector of Views, or ByRows");
  using Scalar = typename B::non_const_value_type;
  using Solution = SolutionView<B>;

  template <class Body>
  static void for_each(const B& b, const Body& body) {
    body(b);
  }
  template <class Body>
  static Solution map(const B& b, const Body& body) {
    return body(b);
  }
  static std::string describe(const B& b) { return detail::describe(strided(b)); }
};

template <class View, class Ids>
struct Tree<ByRows<View, Ids>> {
  using Scalar = typename View::non_const_value_type;
  using Solution = ByRows<SolutionView<View>, Ids>;

  template <class Body>
  static void for_each(const ByRows<View, Ids>& b, const Body& body) {
    body(b.rows);
  }
  template <class Body>
  static Solution map(const ByRows<View, Ids>& b, const Body& body) {
    return {body(b.rows), b.ids};
  }
  static std::string describe(const ByRows<View, Ids>& b) {
    return describe_rows(strided(b.rows), has_ids<ByRows<View, Ids>>);
  }
};

/// Collective. Which rows of b each rank has, where b is by rows. Of a b whose length has been agreed on n is that;
/// else it is what all ranks have together.
template <class Exec, class B>
RowShards shards_of(const Exec& exec, const Communicator& communicator, const B& b,
                    std::optional<std::int64_t> n = std::nullopt) {
  RowShards shards;
  if constexpr (is_by_rows<B>) {
    shards = row_shards(communicator, strided(view_of(b)).extent[0]);
    if constexpr (has_ids<B>) {
      std::vector<std::int64_t> ids;
      collectively(communicator, [&] { ids = ids_on_host(exec, b.ids); });
      number_rows(communicator, shards, ids, n.value_or(shards.all()), "b");
    }
  }
  return shards;
}

/// Whether a tree may have such a part: ByRows is all of b.
template <class Part>
inline constexpr bool is_part = !is_by_rows<Part>;

template <class Range>
std::string describe_each(const Range& parts) {
  std::string text = "(";
  for (const auto& part : parts) text += Tree<typename Range::value_type>::describe(part) + "; ";
  return text + ")";
}

template <class... Parts>
struct Tree<std::tuple<Parts...>> {
  static_assert((is_part<Parts> && ...), "ByRows is all of b, not a part of a std::tuple");
  using Scalar = typename Tree<std::tuple_element_t<0, std::tuple<Parts...>>>::Scalar;
  static_assert((std::is_same_v<typename Tree<Parts>::Scalar, Scalar> && ...),
                "a and all leaves of b have one scalar type");
  using Solution = std::tuple<typename Tree<Parts>::Solution...>;

  template <class Body>
  static void for_each(const std::tuple<Parts...>& b, const Body& body) {
    std::apply([&](const Parts&... parts) { (Tree<Parts>::for_each(parts, body), ...); }, b);
  }
  template <class Body>
  static Solution map(const std::tuple<Parts...>& b, const Body& body) {
    return std::apply([&](const Parts&... parts) { return Solution{Tree<Parts>::map(parts, body)...}; }, b);
  }
  static std::string describe(const std::tuple<Parts...>& b) {
    return std::apply(
        [](const Parts&... parts) { return "a tuple of (" + ((Tree<Parts>::describe(parts) + "; ") + ...) + ")"; }, b);
  }
};

template <class Part, std::size_t size>
struct Tree<std::array<Part, size>> {
  static_assert(is_part<Part>, "ByRows is all of b, not a part of a std::array");
  using Scalar = typename Tree<Part>::Scalar;
  using Solution = std::array<typename Tree<Part>::Solution, size>;

  template <class Body>
  static void for_each(const std::array<Part, size>& b, const Body& body) {
    for (const Part& part : b) Tree<Part>::for_each(part, body);
  }
  template <class Body>
  static Solution map(const std::array<Part, size>& b, const Body& body) {
    Solution result;
    std::transform(b.begin(), b.end(), result.begin(), [&](const Part& part) { return Tree<Part>::map(part, body); });
    return result;
  }
  static std::string describe(const std::array<Part, size>& b) { return "an array of " + describe_each(b); }
};

template <class Part, class Allocator>
struct Tree<std::vector<Part, Allocator>> {
  static_assert(is_part<Part>, "ByRows is all of b, not a part of a std::vector");
  using Scalar = typename Tree<Part>::Scalar;
  using SolutionPart = typename Tree<Part>::Solution;
  using Solution =
      std::vector<SolutionPart, typename std::allocator_traits<Allocator>::template rebind_alloc<SolutionPart>>;

  template <class Body>
  static void for_each(const std::vector<Part, Allocator>& b, const Body& body) {
    for (const Part& part : b) Tree<Part>::for_each(part, body);
  }
  template <class Body>
  static Solution map(const std::vector<Part, Allocator>& b, const Body& body) {
    Solution result(std::allocator_traits<Allocator>::select_on_container_copy_construction(b.get_allocator()));
    result.reserve(b.size());
    for (const Part& part : b) result.push_back(Tree<Part>::map(part, body));
    return result;
  }
  static std::string describe(const std::vector<Part, Allocator>& b) { return "a vector of " + describe_each(b); }
};

/// Whether b is one View, of all rows or some: one of rank 2 then has right-hand sides as columns.
template <class B>
inline constexpr bool is_one_view = Kokkos::is_view<B>::value || is_by_rows<B>;

/// Rows, on this rank, and right-hand sides of b: one View of rank 2 is n x nrhs, anything else one column.
struct Shape {
  std::int64_t n = 0;
  std::int64_t nrhs = 1;
};

template <class B>
Shape shape_of(const B& b) {
  if constexpr (is_one_view<B>) {
    using View = std::remove_cvref_t<decltype(view_of(b))>;
    static_assert(View::rank == 1 || View::rank == 2, "b is a View of n, or of n x nrhs, or a tree of Views");
    const auto s = strided(view_of(b));
    return {s.extent[0], s.rank == 2 ? s.extent[1] : 1};
  } else {
    std::int64_t n = 0;
    Tree<B>::for_each(b, [&n](const auto& leaf) { n = saturated_sum(n, strided(leaf).size()); });
    return {n, 1};
  }
}

/// An uninitialised View for x where b has `leaf`: contiguous, with the dimensions in the order of the leaf's strides.
template <class View>
SolutionView<View> make_solution(const View& leaf) {
  using Layout = typename View::array_layout;
  constexpr auto rank = static_cast<std::size_t>(View::rank);
  Layout layout;
  for (std::size_t r = 0; r < rank; ++r) layout.dimension[r] = leaf.extent(r);
  if constexpr (std::is_same_v<Layout, Kokkos::LayoutStride>) {
    std::array<std::size_t, rank> order;
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t p, std::size_t q) { return leaf.stride(p) < leaf.stride(q); });
    std::size_t stride = 1;
    for (const std::size_t r : order) {
      layout.stride[r] = stride;
      stride *= std::max<std::size_t>(1, leaf.extent(r));
    }
  }
  return SolutionView<View>(Kokkos::view_alloc("tessera::solve::solution", Kokkos::WithoutInitializing), layout);
}

/// body(a leaf, its elements, those of `work`) for each leaf of a tree whose n x nrhs elements `work` has.
template <class Tree, class T, class MemorySpace, class Body>
void for_each_pair(const Tree& tree, const MatrixView<T, MemorySpace>& work, const Body& body) {
  T* next = work.data();
  detail::Tree<Tree>::for_each(tree, [&]<class Leaf>(const Leaf& leaf) {
    const auto s = strided(leaf);
    if (is_one_view<Tree> && s.rank == 2) return body(leaf, s, strided(work));
    body(leaf, s, contiguous(next, s));
    next += s.size();
  });
}

/// Copies b into the n x nrhs matrix `work`.
template <class T, class Exec, class B>
void ravel(const Exec& exec, const B& b, const MatrixView<T, typename Exec::memory_space>& work) {
  for_each_pair(b, work, [&]<class Leaf>(const Leaf&, const auto& from, const Strided<T>& to) {
    gather_from<typename Leaf::memory_space, T>(exec, read_only(from), to);
  });
}

/// Copies the n x nrhs matrix `work` into x.
template <class T, class Exec, class X>
void unravel(const Exec& exec, const MatrixView<T, typename Exec::memory_space>& work, const X& x) {
  for_each_pair(x, work, [&]<class Leaf>(const Leaf&, const auto& to, const Strided<T>& from) {
    scatter_to<typename Leaf::memory_space, T>(exec, read_only(from), to);
  });
}

}  // namespace tessera::detail

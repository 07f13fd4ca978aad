// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "calls.hpp"

#include <cstddef>
#include <cstdint>
#include <regex>
#include <string>
#include <type_traits>
#include <vector>

// Calls with wrong arguments, on all ranks and on each rank alone. A rank that were left behind would hang, here or in
// the call that follows each.
namespace tessera::testing {

/// "diag_shift: ..." names diag_shift, "grid rows: ..." grid.
inline bool names(const std::string& message, const std::string& argument) {
  return std::regex_search(message, std::regex("^(" + argument + ")( [a-z]+)*: "));
}

/// A View of numbers that are all the same one: of any extents, without the memory for them.
template <class T, class... Extents>
auto repeated(T* number, Extents... extents) {
  Kokkos::LayoutStride layout;
  std::size_t r = 0;
  ((layout.dimension[r] = static_cast<std::size_t>(extents), layout.stride[r++] = 0), ...);
  using Data = std::conditional_t<sizeof...(Extents) == 2, T**, T*>;
  return Kokkos::View<Data, Kokkos::LayoutStride, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(number,
                                                                                                              layout);
}

struct MisuseTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);

  /// `call(wrong)` is made with `wrong` on the ranks that are at fault.
  template <class Call>
  void expect(const std::string& argument, const std::vector<std::string>& words, bool wrong, const Call& call) const {
    const Thrown thrown = thrown_by([&] { call(wrong); });
    EXPECT_EQ(thrown.kind, Kind::invalid_argument) << thrown;
    EXPECT_TRUE(names(thrown.message, argument)) << thrown << " does not name " << argument;
    for (const std::string& word : words) {
      EXPECT_TRUE(std::regex_search(thrown.message, std::regex(word))) << thrown << " does not say " << word;
    }
    EXPECT_TRUE(solves(comm));
  }
  /// Each rank alone is at fault, in turn.
  template <class Call>
  void wrong_on_one(const std::string& argument, const std::vector<std::string>& words, const Call& call) const {
    if (ranks == 1) return;
    for (int culprit = 0; culprit < ranks; ++culprit) {
      SCOPED_TRACE(argument + ", rank " + std::to_string(culprit) + " alone is wrong");
      expect(argument, words, rank == culprit, call);
    }
  }
  /// All ranks are, and then each alone.
  template <class Call>
  void wrong(const std::string& argument, const std::vector<std::string>& words, const Call& call) const {
    {
      SCOPED_TRACE(argument + ", all ranks are wrong");
      expect(argument, words, true, call);
    }
    wrong_on_one(argument, words, call);
  }
};

}  // namespace tessera::testing

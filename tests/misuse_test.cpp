// SPDX-License-Identifier: BSD-3-Clause
#include "misuse.hpp"
#include "operators.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

// Every wrong argument of cholesky_distributed is std::invalid_argument on every rank, whichever rank it is wrong on.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;
using Matrix = Kokkos::View<double**>;
using Vector = Kokkos::View<double*>;

constexpr std::int64_t n = 24;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

struct SolveMisuseTest : MisuseTest {
  Matrix rows(std::int64_t count, std::int64_t columns = n) const {
    return Matrix("a", static_cast<std::size_t>(count), static_cast<std::size_t>(columns));
  }
  /// Evenly sharded.
  std::int64_t my_rows() const { return n * (rank + 1) / ranks - n * rank / ranks; }
};

/// What both kinds of failure do: misuse is no failure of the matrix, and must not end as NaNs.
constexpr Failure failures[] = {Failure::raise, Failure::fill_nan};

TEST_F(SolveMisuseTest, RowsOfAnotherLength) {
  for (const Failure on_failure : failures) {
    for (const std::int64_t columns : {std::int64_t{0}, n - 1, n + 1}) {
      wrong("a", {"columns", std::to_string(columns), std::to_string(n)}, [&](bool is_wrong) {
        cholesky_distributed(comm, rows(my_rows(), is_wrong ? columns : n), Vector("b", n), {.on_failure = on_failure});
      });
    }
  }
}

TEST_F(SolveMisuseTest, RowsThatDoNotAddUp) {
  for (const Failure on_failure : failures) {
    for (const std::int64_t more : {-1, 1}) {
      wrong("a", {"rows", std::to_string(n)}, [&](bool is_wrong) {
        cholesky_distributed(comm, rows(my_rows() + (is_wrong ? more : 0)), Vector("b", n), {.on_failure = on_failure});
      });
    }
  }
}

TEST_F(SolveMisuseTest, NoRowsAtAll) {
  expect("a", {"rows", "\\b0\\b", std::to_string(n)}, true,
         [&](bool) { cholesky_distributed(comm, rows(0, 0), Vector("b", n)); });
}

TEST_F(SolveMisuseTest, ExtentsWhoseProductOverflows) {
  const double one = 1;
  const Matrix a = rows(my_rows());
  for (const int bits : {57, 59, 61, 62}) {  // 24 * 2^61 * 8 = 0 modulo 2^64
    const Thrown thrown = thrown_by([&] { cholesky_distributed(comm, a, repeated(&one, n, std::int64_t{1} << bits)); });
    EXPECT_EQ(thrown.kind, Kind::bad_alloc) << thrown << ", 2^" << bits << " right-hand sides";
    EXPECT_TRUE(solves(comm));
  }
  using Leaf = decltype(repeated(&one, 1, 1));
  const std::int64_t large = std::int64_t{1} << 32;
  const std::vector<Leaf> square{repeated(&one, large, large)};
  const std::vector<Leaf> long_ones{repeated(&one, large, large / 2), repeated(&one, large, large / 2),
                                    repeated(&one, n, 1)};
  for (const auto& b : {square, long_ones}) {  // 0 and n modulo 2^64
    expect("n", {"2.31 - 1"}, true, [&](bool) { cholesky_distributed(comm, Operator<Dominant<double>>{{n}}, b); });
  }
  // rows of length 0, which take no memory
  const auto none = repeated(&one, std::int64_t{1} << 62, 0);
  wrong("a", {"rows", std::to_string(std::int64_t{1} << 62)},
        [&](bool is_wrong) { cholesky_distributed(comm, is_wrong ? none : repeated(&one, 0, 0), Vector("b", 0)); });
}

// Nobody can tell whether a or b is meant: either may be named, as long as both numbers are.
TEST_F(SolveMisuseTest, RightHandSideOfAnotherLength) {
  for (const std::size_t length : {std::size_t{0}, std::size_t{n - 1}, std::size_t{n + 1}}) {
    wrong("a|b", {"rows|columns|extent|length", std::to_string(length), std::to_string(n)},
          [&](bool is_wrong) { cholesky_distributed(comm, rows(my_rows()), Vector("b", is_wrong ? length : n)); });
    wrong("a|b", {"rows|columns|extent|length", std::to_string(length), std::to_string(n)},
          [&](bool is_wrong) { cholesky_distributed(comm, rows(my_rows()), Matrix("b", is_wrong ? length : n, 2)); });
  }
}

TEST_F(SolveMisuseTest, TileSize) {
  for (const std::int64_t tile : {std::int64_t{-1}, std::numeric_limits<std::int64_t>::min()}) {
    for (const Failure on_failure : failures) {
      wrong("local_tile_size", {std::to_string(tile)}, [&](bool is_wrong) {
        cholesky_distributed(comm, rows(my_rows()), Vector("b", n),
                             {.local_tile_size = is_wrong ? tile : 4, .on_failure = on_failure});
      });
    }
  }
  wrong_on_one("local_tile_size", {"\\b4\\b", "\\b8\\b"}, [&](bool is_wrong) {
    cholesky_distributed(comm, rows(my_rows()), Vector("b", n), {.local_tile_size = is_wrong ? 8 : 4});
  });
}

TEST_F(SolveMisuseTest, Grid) {
  constexpr int most = std::numeric_limits<int>::max();
  constexpr int least = std::numeric_limits<int>::min();
  const GridShape shapes[] = {{0, ranks},     {ranks, 0},         {0, 0},         {-1, -ranks}, {ranks + 1, 1},
                              {1, ranks + 1}, {ranks, ranks + 1}, {65536, 65536}, {1 << 30, 4}, {most, most},
                              {least, least}, {least, 1}};
  for (const GridShape shape : shapes) {
    for (const Failure on_failure : failures) {
      wrong("grid", {std::to_string(shape.rows), std::to_string(shape.cols)}, [&](bool is_wrong) {
        cholesky_distributed(comm, rows(my_rows()), Vector("b", n),
                             {.grid = is_wrong ? std::optional(shape) : std::nullopt, .on_failure = on_failure});
      });
    }
  }
  wrong_on_one("grid", {std::to_string(ranks), "\\b1\\b"}, [&](bool is_wrong) {
    cholesky_distributed(comm, rows(my_rows()), Vector("b", n),
                         {.grid = is_wrong ? GridShape{1, ranks} : GridShape{ranks, 1}});
  });
}

TEST_F(SolveMisuseTest, Shift) {
  for (const double shift : {nan, infinity, -infinity}) {
    for (const Failure on_failure : failures) {
      wrong("diag_shift", {std::isnan(shift) ? "nan" : "inf"}, [&](bool is_wrong) {
        cholesky_distributed(comm, rows(my_rows()), Vector("b", n),
                             {.diag_shift = is_wrong ? shift : 0.5, .on_failure = on_failure});
      });
    }
  }
  for (const double shift : {0.0, std::nextafter(0.5, 1.0)}) {
    wrong_on_one("diag_shift", {"0\\.5"}, [&](bool is_wrong) {
      cholesky_distributed(comm, rows(my_rows()), Vector("b", n), {.diag_shift = is_wrong ? shift : 0.5});
    });
  }
}

TEST_F(SolveMisuseTest, Shifts) {
  struct Case {
    ShiftLadder shifts;
    std::vector<std::string> words;
  };
  const Case cases[] = {{{.tries = 0}, {"shifts.tries", "\\b0\\b"}},
                        {{.tries = 2}, {"shifts.first", "\\b0\\b"}},
                        {{.tries = 2, .first = nan}, {"shifts.first", "nan"}},
                        {{.tries = 3, .first = 1, .factor = 1}, {"shifts.factor", "\\b1\\b"}},
                        {{.tries = 5, .first = 1e200, .factor = 1e100}, {"shifts", "inf"}}};
  for (const Case& one : cases) {
    wrong(one.words[0], {one.words[1]}, [&](bool is_wrong) {
      cholesky_distributed(comm, rows(my_rows()), Vector("b", n),
                           {.diag_shift = 0.5, .shifts = is_wrong ? one.shifts : ShiftLadder{}});
    });
  }
  wrong_on_one("shifts.first", {"0\\.25"}, [&](bool is_wrong) {
    cholesky_distributed(comm, rows(my_rows()), Vector("b", n),
                         {.diag_shift = 0.5, .shifts = {.tries = 2, .first = is_wrong ? 0.25 : 0.5}});
  });
}

TEST_F(SolveMisuseTest, Enumerations) {
  wrong("on_failure", {"\\b7\\b"}, [&](bool is_wrong) {
    cholesky_distributed(comm, rows(my_rows()), Vector("b", n),
                         {.on_failure = is_wrong ? static_cast<Failure>(7) : Failure::raise});
  });
  wrong_on_one("on_failure", {}, [&](bool is_wrong) {
    cholesky_distributed(comm, rows(my_rows()), Vector("b", n),
                         {.on_failure = is_wrong ? Failure::fill_nan : Failure::raise});
  });
  for (const Failure on_failure : failures) {
    wrong("triangle", {"-3"}, [&](bool is_wrong) {
      cholesky_distributed(
          comm, rows(my_rows()), Vector("b", n),
          {.on_failure = on_failure, .triangle = is_wrong ? static_cast<Triangle>(-3) : Triangle::upper});
    });
  }
  wrong_on_one("triangle", {}, [&](bool is_wrong) {
    cholesky_distributed(comm, rows(my_rows()), Vector("b", n),
                         {.triangle = is_wrong ? Triangle::upper : Triangle::lower});
  });
  wrong("mpi_buffers", {"\\b3\\b"}, [&](bool is_wrong) {
    cholesky_distributed(comm, rows(my_rows()), Vector("b", n),
                         {.mpi_buffers = is_wrong ? static_cast<MpiBuffers>(3) : MpiBuffers::staged});
  });
  wrong_on_one("mpi_buffers", {}, [&](bool is_wrong) {
    cholesky_distributed(comm, rows(my_rows()), Vector("b", n),
                         {.mpi_buffers = is_wrong ? MpiBuffers::staged : MpiBuffers::automatic});
  });
}

TEST_F(SolveMisuseTest, Products) {
  for (const int arithmetic : {-1, 3}) {
    wrong("arithmetic", {std::to_string(arithmetic)}, [&](bool is_wrong) {
      cholesky_distributed(comm, rows(my_rows()), Vector("b", n),
                           {.arithmetic = is_wrong ? static_cast<Arithmetic>(arithmetic) : Arithmetic::integer});
    });
  }
  wrong_on_one("arithmetic", {}, [&](bool is_wrong) {
    cholesky_distributed(comm, rows(my_rows()), Vector("b", n),
                         {.arithmetic = is_wrong ? Arithmetic::integer : Arithmetic::native});
  });
  for (const Failure on_failure : failures) {
    for (const int moduli : {-1, 1, 3, 16}) {
      wrong("moduli", {std::to_string(moduli)}, [&](bool is_wrong) {
        cholesky_distributed(
            comm, rows(my_rows()), Vector("b", n),
            {.on_failure = on_failure, .arithmetic = Arithmetic::integer, .moduli = is_wrong ? moduli : 4});
      });
    }
  }
  wrong("moduli", {"\\b2\\b"}, [&](bool is_wrong) {  // also where nothing needs them
    cholesky_distributed(comm, rows(my_rows()), Vector("b", n), {.moduli = is_wrong ? 2 : 0});
  });
  wrong_on_one("moduli", {"\\b13\\b", "\\b14\\b"}, [&](bool is_wrong) {
    cholesky_distributed(comm, rows(my_rows()), Vector("b", n),
                         {.arithmetic = Arithmetic::integer, .moduli = is_wrong ? 13 : 14});
  });
  wrong("bytes_free", {"-2\\b"}, [&](bool is_wrong) {
    cholesky_distributed(comm, rows(my_rows()), Vector("b", n), {.bytes_free = is_wrong ? -2 : 0});
  });
  wrong_on_one("bytes_free", {"\\b70\\b", "not given"}, [&](bool is_wrong) {
    cholesky_distributed(comm, rows(my_rows()), Vector("b", n),
                         {.bytes_free = is_wrong ? std::optional<std::int64_t>(70) : std::nullopt});
  });
}

TEST_F(SolveMisuseTest, RightHandSidesThatDiffer) {
  wrong_on_one("b", {"rows|columns|extent|length", "\\b2\\b", "\\b3\\b"},
               [&](bool is_wrong) { cholesky_distributed(comm, rows(my_rows()), Matrix("b", n, is_wrong ? 3 : 2)); });
  wrong_on_one("b", {"rank"}, [&](bool is_wrong) {
    if (is_wrong) {
      cholesky_distributed(comm, rows(my_rows()), Matrix("b", n, 1));
    } else {
      cholesky_distributed(comm, rows(my_rows()), Vector("b", n));
    }
  });
}

TEST_F(SolveMisuseTest, StructuresThatDiffer) {
  const auto vectors = [](std::vector<std::size_t> lengths) {
    std::vector<Vector> result;
    for (const std::size_t length : lengths) result.emplace_back("b", length);
    return result;
  };
  wrong_on_one("b", {}, [&](bool is_wrong) {
    cholesky_distributed(comm, rows(my_rows()),
                         vectors(is_wrong ? std::vector<std::size_t>{16, 8} : std::vector<std::size_t>{8, 16}));
  });
  wrong_on_one("b", {}, [&](bool is_wrong) {
    cholesky_distributed(comm, rows(my_rows()),
                         vectors(is_wrong ? std::vector<std::size_t>{8, 8, 8} : std::vector<std::size_t>{8, 16}));
  });
  wrong_on_one("b", {}, [&](bool is_wrong) {
    if (is_wrong) {
      cholesky_distributed(comm, rows(my_rows()), std::tuple{Vector("b", n)});
    } else {
      cholesky_distributed(comm, rows(my_rows()), Vector("b", n));
    }
  });
  wrong_on_one("b", {}, [&](bool is_wrong) {
    if (is_wrong) {
      cholesky_distributed(comm, rows(my_rows()), std::tuple{Matrix("b", 4, 2), Matrix("b", 8, 2)});
    } else {
      cholesky_distributed(comm, rows(my_rows()), std::tuple{Matrix("b", 2, 4), Matrix("b", 8, 2)});
    }
  });
}

TEST_F(SolveMisuseTest, ScalarsThatDiffer) {
  wrong_on_one("scalar of a and b|a|b", {}, [&](bool is_wrong) {
    if (is_wrong) {
      cholesky_distributed(comm, Kokkos::View<float**>("a", static_cast<std::size_t>(my_rows()), n),
                           Kokkos::View<float*>("b", n));
    } else {
      cholesky_distributed(comm, rows(my_rows()), Vector("b", n));
    }
  });
  // As many bytes.
  wrong_on_one("scalar of a and b|a|b", {}, [&](bool is_wrong) {
    if (is_wrong) {
      cholesky_distributed(comm, Kokkos::View<Kokkos::complex<float>**>("a", static_cast<std::size_t>(my_rows()), n),
                           Kokkos::View<Kokkos::complex<float>*>("b", n));
    } else {
      cholesky_distributed(comm, rows(my_rows()), Vector("b", n));
    }
  });
}

struct NeverAsked {
  template <class Rows>
  void to_dense(const Exec&, std::int64_t, const Rows&) const {
    ADD_FAILURE() << "asked for rows, though the ranks do not agree";
  }
};

TEST_F(SolveMisuseTest, ViewOnOneRankAndOperatorOnAnother) {
  wrong_on_one("a", {"operator", "View"}, [&](bool is_wrong) {
    if (is_wrong) {
      cholesky_distributed(comm, NeverAsked{}, Vector("b", n));
    } else {
      cholesky_distributed(comm, rows(my_rows()), Vector("b", n));
    }
  });
}

TEST_F(SolveMisuseTest, SeveralFaultsAreNamedByTheRanksThatHaveThem) {
  if (ranks < 3) GTEST_SKIP() << "needs ranks without a fault";
  const Thrown thrown = thrown_by([&] {
    cholesky_distributed(comm, rows(my_rows()), Vector("b", n),
                         {.local_tile_size = rank == 2 ? -5 : 4, .diag_shift = rank == 1 ? nan : 0});
  });
  EXPECT_EQ(thrown.kind, Kind::invalid_argument) << thrown;
  EXPECT_TRUE(names(thrown.message, rank == 2 ? "local_tile_size" : "diag_shift")) << thrown;
  EXPECT_TRUE(solves(comm));
}

// Exec{} is what a call without it uses: these are the same call.
TEST_F(SolveMisuseTest, TheDefaultInstanceMayBeNamedOnOneRankAlone) {
  const System<double> system(comm);
  const auto x = rank == 0 ? cholesky_distributed(Exec{}, comm, system.a, system.b).x
                           : cholesky_distributed(comm, system.a, system.b).x;
  EXPECT_TRUE(system.is_solved_by(to_host(x)));
}

TEST_F(SolveMisuseTest, Communicator) {
  const auto on = [&](MPI_Comm other) {
    return [=, this](bool) { cholesky_distributed(other, rows(my_rows()), Vector("b", n)); };
  };
  expect("comm", {"MPI_COMM_NULL"}, true, on(MPI_COMM_NULL));
  expect("comm", {"MPI_COMM_NULL"}, true,
         [&](bool) { CholeskyDistributed{.comm = MPI_COMM_NULL}(rows(my_rows()), Vector("b", n)); });
  expect("comm", {}, true, [&](bool) { CholeskyDistributed{}(rows(my_rows()), Vector("b", n)); });
  expect("comm", {"MPI_COMM_NULL"}, true, [&](bool) { ProcessGrid grid(MPI_COMM_NULL); });
  if (ranks == 1) return;
  MPI_Comm half = MPI_COMM_NULL;
  MPI_Comm inter = MPI_COMM_NULL;
  MPI_Comm_split(comm, rank == 0 ? 0 : 1, rank, &half);
  MPI_Intercomm_create(half, 0, comm, rank == 0 ? 1 : 0, 0, &inter);
  expect("comm", {"inter-communicator"}, true, on(inter));
  expect("comm", {"inter-communicator"}, true, [&](bool) { ProcessGrid grid(inter, 1, ranks); });
  MPI_Comm_free(&inter);
  MPI_Comm_free(&half);
}

}  // namespace
}  // namespace tessera::testing

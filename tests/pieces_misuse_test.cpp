// SPDX-License-Identifier: BSD-3-Clause
#include "factor_operations.hpp"
#include "misuse.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>

// The same for the pieces, whose misuse is also to hand them what another piece has used up, or another matrix than the
// other ranks do.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;
using Matrix = ShardedMatrix<double>;
using Factor = CholeskyFactor<double>;

constexpr std::int64_t n = 24;
constexpr std::int64_t tile = 4;
constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();

struct PiecesMisuseTest : MisuseTest {
  ProcessGrid grid{comm};
  System<double> system{comm, n};

  Matrix matrix(std::int64_t tile_size = tile) const { return sharded(grid, system, tile_size); }
  Factor factor(std::int64_t tile_size = tile) const { return factorize(Exec{}, matrix(tile_size)); }

  /// What a fault has left behind is as good as before.
  void expect_good(const Factor& l) const {
    Kokkos::View<double*> x("x", n);
    Kokkos::deep_copy(x, system.b);
    l.solve(Exec{}, x);
    EXPECT_TRUE(system.is_solved_by(to_host(x)));
  }
};

TEST_F(PiecesMisuseTest, GridShape) {
  const GridShape shapes[] = {{0, ranks}, {ranks, 0},     {-1, -ranks}, {ranks + 1, 1},
                              {ranks, 2}, {65536, 65536}, {1 << 30, 4}, {ranks, std::numeric_limits<int>::min()}};
  for (const GridShape shape : shapes) {
    wrong("grid", {std::to_string(shape.rows), std::to_string(shape.cols)}, [&](bool is_wrong) {
      const ProcessGrid made(comm, is_wrong ? shape.rows : 1, is_wrong ? shape.cols : ranks);
    });
    wrong("grid", {std::to_string(shape.rows), std::to_string(shape.cols)},
          [&](bool is_wrong) { const ProcessGrid made(comm, is_wrong ? shape : nearly_square(ranks)); });
  }
  wrong_on_one("grid", {}, [&](bool is_wrong) {
    const ProcessGrid made(comm, is_wrong ? GridShape{1, ranks} : GridShape{ranks, 1});
  });
}

TEST_F(PiecesMisuseTest, Dimensions) {
  for (const std::int64_t wrong_n : {std::int64_t{-1}, least, std::int64_t{1} << 31, most}) {
    wrong("n", {"rows|columns|extent|length", std::to_string(wrong_n)},
          [&](bool is_wrong) { const Matrix made(grid, is_wrong ? wrong_n : n, tile); });
  }
  for (const std::int64_t wrong_tile : {std::int64_t{-1}, least}) {
    wrong("tile", {std::to_string(wrong_tile)},
          [&](bool is_wrong) { const Matrix made(grid, n, is_wrong ? wrong_tile : tile); });
  }
  for (const std::int64_t wrong_slab : {std::int64_t{-1}, least}) {
    wrong("slab", {std::to_string(wrong_slab)},
          [&](bool is_wrong) { const Matrix made(grid, n, tile, is_wrong ? wrong_slab : 8); });
  }
}

TEST_F(PiecesMisuseTest, Reserve) {
  for (const std::int64_t wrong_reserve : {std::int64_t{-1}, least, (std::int64_t{1} << 31) - n, most}) {
    wrong("reserve", {std::to_string(wrong_reserve)},
          [&](bool is_wrong) { const Matrix made(grid, n, tile, 0, is_wrong ? wrong_reserve : 8); });
  }
  wrong_on_one("reserve", {"\\b4\\b", "\\b8\\b"},
               [&](bool is_wrong) { const Matrix made(grid, n, tile, 0, is_wrong ? 8 : 4); });
}

TEST_F(PiecesMisuseTest, DimensionsThatDiffer) {
  wrong_on_one("n", {"rows|columns|extent|length", "\\b24\\b", "\\b25\\b"},
               [&](bool is_wrong) { const Matrix made(grid, is_wrong ? n + 1 : n, tile); });
  wrong_on_one("tile", {"\\b4\\b", "\\b8\\b"},
               [&](bool is_wrong) { const Matrix made(grid, n, is_wrong ? 2 * tile : tile); });
  wrong_on_one("tile", {"\\b4\\b", "\\b0\\b"}, [&](bool is_wrong) { const Matrix made(grid, n, is_wrong ? 0 : tile); });
  wrong_on_one("slab", {"\\b4\\b", "\\b8\\b"},
               [&](bool is_wrong) { const Matrix made(grid, n, tile, is_wrong ? 8 : 4); });
  wrong_on_one("scalar", {}, [&](bool is_wrong) {
    if (is_wrong) {
      const ShardedMatrix<float> made(grid, n, tile);
    } else {
      const Matrix made(grid, n, tile);
    }
  });
}

TEST_F(PiecesMisuseTest, Redistribute) {
  auto into = matrix();
  const Kokkos::View<double**> wide("a", system.a.extent(0), n + 1);
  const Kokkos::View<double**> tall("a", system.a.extent(0) + 1, n);
  wrong("a", {"columns", "\\b24\\b", "\\b25\\b"},
        [&](bool is_wrong) { redistribute(Exec{}, is_wrong ? wide : system.a, into, 0); });
  wrong("a", {"rows", "\\b24\\b"}, [&](bool is_wrong) { redistribute(Exec{}, is_wrong ? tall : system.a, into, 0); });
  for (const double shift : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    wrong("diag_shift", {shift > 0 ? "inf" : "nan"},
          [&](bool is_wrong) { redistribute(Exec{}, system.a, into, is_wrong ? shift : 0.5); });
  }
  wrong_on_one("diag_shift", {"\\b2\\b", "0\\.5"},
               [&](bool is_wrong) { redistribute(Exec{}, system.a, into, is_wrong ? 2 : 0.5); });
  wrong("triangle", {"\\b9\\b"}, [&](bool is_wrong) {
    redistribute(Exec{}, system.a, into, 0, is_wrong ? static_cast<Triangle>(9) : Triangle::lower);
  });
  wrong_on_one("triangle", {}, [&](bool is_wrong) {
    redistribute(Exec{}, system.a, into, 0, is_wrong ? Triangle::upper : Triangle::lower);
  });
  redistribute(Exec{}, system.a, into, 0);
  expect_good(factorize(Exec{}, std::move(into)));
}

TEST_F(PiecesMisuseTest, RedistributeIntoMatricesThatDiffer) {
  auto into = matrix();
  auto other_tile = matrix(2 * tile);
  wrong_on_one("tile|matrix", {},
               [&](bool is_wrong) { redistribute(Exec{}, system.a, is_wrong ? other_tile : into, 0); });
  ShardedMatrix<float> other_scalar(grid, n, tile);
  const System<float> narrow(comm, n);
  wrong_on_one("scalar|matrix", {}, [&](bool is_wrong) {
    if (is_wrong) {
      redistribute(Exec{}, narrow.a, other_scalar, 0);
    } else {
      redistribute(Exec{}, system.a, into, 0);
    }
  });
}

TEST_F(PiecesMisuseTest, FactorizeMatricesThatDiffer) {
  wrong_on_one("tile|matrix", {}, [&](bool is_wrong) {
    auto one = matrix(tile);
    auto other = matrix(2 * tile);
    factorize(Exec{}, std::move(is_wrong ? other : one));
  });
  wrong_on_one("n|matrix", {}, [&](bool is_wrong) {
    auto one = matrix(tile);
    auto other = sharded(grid, System<double>(comm, n + tile), tile);
    factorize(Exec{}, std::move(is_wrong ? other : one));
  });
  wrong_on_one("slab|matrix", {}, [&](bool is_wrong) {
    Matrix one(grid, n, tile, tile);
    Matrix other(grid, n, tile, 2 * tile);
    redistribute(Exec{}, system.a, one, 0);
    redistribute(Exec{}, system.a, other, 0);
    factorize(Exec{}, std::move(is_wrong ? other : one));
  });
}

TEST_F(PiecesMisuseTest, FactorizeOptions) {
  auto a = matrix();
  const auto by = [&](const tessera::FactorizeOptions& right, const tessera::FactorizeOptions& wrong_options) {
    return [&a, right, wrong_options](bool is_wrong) {
      factorize(Exec{}, std::move(a), is_wrong ? wrong_options : right);
    };
  };
  wrong("arithmetic", {"\\b9\\b"}, by({}, {.arithmetic = static_cast<Arithmetic>(9)}));
  wrong_on_one("arithmetic", {}, by({}, {.arithmetic = Arithmetic::fastest}));
  for (const int moduli : {-1, 1, 3, 16}) {
    wrong("moduli", {std::to_string(moduli)},
          by({.arithmetic = Arithmetic::integer}, {.arithmetic = Arithmetic::integer, .moduli = moduli}));
  }
  wrong_on_one("moduli", {"\\b0\\b", "\\b14\\b"},
               by({.arithmetic = Arithmetic::integer}, {.arithmetic = Arithmetic::integer, .moduli = 14}));
  wrong("bytes_free", {"-1\\b"}, by({}, {.bytes_free = -1}));
  wrong_on_one("bytes_free", {"\\b70\\b", "not given"}, by({}, {.bytes_free = 70}));
  // `a` is unchanged by all of that.
  expect_good(factorize(Exec{}, std::move(a), tessera::FactorizeOptions{.arithmetic = Arithmetic::integer}));
}

TEST_F(PiecesMisuseTest, RightHandSide) {
  const Factor l = factor();
  for (const FactorOperation operation : factor_operations) {
    SCOPED_TRACE(operation);
    const auto apply = [&](const auto& b) { call(operation, l, Exec{}, b); };
    for (const std::size_t rows : {std::size_t{0}, std::size_t{n - 1}, std::size_t{n + 1}}) {
      wrong("b", {"rows", std::to_string(rows), "\\b24\\b"},
            [&](bool is_wrong) { apply(Kokkos::View<double*>("b", is_wrong ? rows : n)); });
      wrong("b", {"rows", std::to_string(rows), "\\b24\\b"},
            [&](bool is_wrong) { apply(Kokkos::View<double**>("b", is_wrong ? rows : n, 2)); });
    }
    wrong_on_one("b", {"rows|columns|extent|length", "\\b2\\b", "\\b3\\b"},
                 [&](bool is_wrong) { apply(Kokkos::View<double**>("b", n, is_wrong ? 3 : 2)); });
    wrong_on_one("b", {"rank"}, [&](bool is_wrong) {
      if (is_wrong) {
        apply(Kokkos::View<double**>("b", n, 1));
      } else {
        apply(Kokkos::View<double*>("b", n));
      }
    });
    double one = 1;
    for (const int bits : {57, 59, 61, 62}) {  // 24 * 2^61 * 8 = 0 modulo 2^64
      const Thrown thrown = thrown_by([&] { apply(repeated(&one, n, std::int64_t{1} << bits)); });
      EXPECT_EQ(thrown.kind, Kind::bad_alloc) << thrown << ", 2^" << bits << " right-hand sides";
    }
  }
  expect_good(l);
}

TEST_F(PiecesMisuseTest, SolveWithFactorsThatDiffer) {
  const Factor one = factor(tile);
  const Factor other = factor(2 * tile);
  const auto narrow = factorize(Exec{}, sharded(grid, System<float>(comm, n), tile));
  wrong_on_one("tile|factor", {},
               [&](bool is_wrong) { (is_wrong ? other : one).solve(Exec{}, Kokkos::View<double*>("b", n)); });
  wrong_on_one("scalar|factor|b", {}, [&](bool is_wrong) {
    if (is_wrong) {
      narrow.solve(Exec{}, Kokkos::View<float*>("b", n));
    } else {
      one.solve(Exec{}, Kokkos::View<double*>("b", n));
    }
  });
  expect_good(one);
}

TEST_F(PiecesMisuseTest, MeasureMatricesThatDiffer) {
  const Matrix one = matrix(tile);
  const Matrix other_tile = matrix(2 * tile);
  const Matrix other_n = sharded(grid, System<double>(comm, n + tile), tile);
  const ShardedMatrix<float> narrow = sharded(grid, System<float>(comm, n), tile);
  const std::function<void(const Matrix&)> measures[] = {
      [](const Matrix& a) { norm_one(Exec{}, a); },
      [](const Matrix& a) { inner_product(Exec{}, a, Dominant<double>{n}); }};
  for (const auto& measure : measures) {
    wrong_on_one("tile|matrix", {"\\b4\\b", "\\b8\\b"}, [&](bool is_wrong) { measure(is_wrong ? other_tile : one); });
    wrong_on_one("n|matrix", {"\\b24\\b", "\\b28\\b"}, [&](bool is_wrong) { measure(is_wrong ? other_n : one); });
  }
  wrong_on_one("scalar|matrix", {},
               [&](bool is_wrong) { is_wrong ? norm_one(Exec{}, narrow) : norm_one(Exec{}, one); });
  wrong_on_one("scalar|matrix", {}, [&](bool is_wrong) {
    is_wrong ? inner_product(Exec{}, narrow, Dominant<double>{n}) : inner_product(Exec{}, one, Dominant<double>{n});
  });
}

template <std::size_t K>
struct Zeros {
  KOKKOS_FUNCTION Kokkos::Array<double, K> operator()(std::int64_t, std::int64_t) const { return {}; }
};

TEST_F(PiecesMisuseTest, InnerProductsOfDifferentNumbers) {
  const Matrix a = matrix();
  wrong_on_one("f", {"\\b2\\b", "\\b3\\b"}, [&](bool is_wrong) {
    if (is_wrong) {
      inner_product(Exec{}, a, Zeros<3>{});
    } else {
      inner_product(Exec{}, a, Zeros<2>{});
    }
  });
}

TEST_F(PiecesMisuseTest, NormOfA) {
  const Factor l = factor();
  for (const double norm :
       {-1., -0.5, std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
    wrong("norm_of_a", {std::isnan(norm) ? "nan" : std::to_string(norm)},
          [&](bool is_wrong) { l.reciprocal_condition(Exec{}, is_wrong ? norm : 2); });
  }
  wrong_on_one("norm_of_a", {"\\b2\\b", "\\b3\\b"},
               [&](bool is_wrong) { l.reciprocal_condition(Exec{}, is_wrong ? 3 : 2); });
  const Factor other = factor(2 * tile);
  wrong_on_one("tile|factor", {}, [&](bool is_wrong) { (is_wrong ? other : l).reciprocal_condition(Exec{}, 2); });
  expect_good(l);
}

TEST_F(PiecesMisuseTest, InversesOfFactorsThatDiffer) {
  Factor l = factor();
  for (const std::int64_t wrong_size : {n - 1, n + 1, std::int64_t{0}}) {
    wrong("d", {"\\b24\\b", "\\b" + std::to_string(wrong_size) + "\\b"}, [&](bool is_wrong) {
      l.inverse_diagonal(Exec{}, Kokkos::View<double*>("d", static_cast<std::size_t>(is_wrong ? wrong_size : n)));
    });
  }
  Factor other = factor(2 * tile);
  const Kokkos::View<double*> d("d", n);
  wrong_on_one("tile|factor", {}, [&](bool is_wrong) { (is_wrong ? other : l).inverse_diagonal(Exec{}, d); });
  wrong_on_one("tile|factor", {}, [&](bool is_wrong) { invert(Exec{}, std::move(is_wrong ? other : l)); });
  expect_good(l);  // as it was
}

// One rank calls one function while the others call another one.
TEST_F(PiecesMisuseTest, DifferentFunctionsOnOneGrid) {
  Factor l = factor(tile);
  Factor kept = factor(tile);
  auto into = matrix();
  const Kokkos::View<double**> j("j", static_cast<std::size_t>(rank == 0 ? n : 0), 3);
  std::vector<std::function<void()>> calls{
      [&] { ShardedMatrix<double>(grid, n, tile); },
      [&] { redistribute(Exec{}, system.a, into, 0); },
      [&] { add_gram(Exec{}, ::tessera::Gram{j}, into); },
      [&] { factorize(Exec{}, std::move(into)); },
      [&] { norm_one(Exec{}, l.matrix()); },
      [&] { l.reciprocal_condition(Exec{}, 1); },
      [&] { l.append(Exec{}, Kokkos::View<double**>("rows", 0, n)); },
      [&] { inner_product(Exec{}, l.matrix(), Zeros<2>{}); },
      [&] { l.inverse_diagonal(Exec{}, Kokkos::View<double*>("d", n)); },
      [&] { invert(Exec{}, std::move(kept)); },
  };
  for (const FactorOperation operation : factor_operations) {
    calls.emplace_back([&l, operation] { call(operation, l, Exec{}, Kokkos::View<double*>("b", n)); });
  }
  for (const auto& one : calls) {
    for (const auto& other : calls) {
      if (&one == &other) continue;
      wrong_on_one("operation",
                   {"redistribute|add_gram|factorize|solve|multiply|norm_one|reciprocal_condition|append|"
                    "inner_product|inver"},
                   [&](bool is_wrong) { is_wrong ? one() : other(); });
    }
  }
  expect_good(l);
}

TEST_F(PiecesMisuseTest, DifferentFunctionsOnOneCommunicator) {
  wrong_on_one("operation", {"ProcessGrid", "cholesky_distributed"}, [&](bool is_wrong) {
    if (is_wrong) {
      ProcessGrid{comm};
    } else {
      system.solve();
    }
  });
  wrong_on_one("operation", {"ProcessGrid", "cholesky_distributed"}, [&](bool is_wrong) {
    if (is_wrong) {
      system.solve();
    } else {
      ProcessGrid{comm};
    }
  });
}

// What is moved from is an empty matrix on the same grid: misuse just where the other ranks bring another one.
TEST_F(PiecesMisuseTest, MovedFrom) {
  auto used_up = matrix();
  auto used_up_factor = factorize(Exec{}, std::move(used_up));
  const Factor l = std::move(used_up_factor);
  wrong_on_one("n|matrix", {"\\b0\\b", "\\b24\\b"}, [&](bool is_wrong) {
    auto fresh = matrix();
    factorize(Exec{}, std::move(is_wrong ? used_up : fresh));
  });
  auto into = matrix();
  wrong("a|n|matrix", {"\\b0\\b", "\\b24\\b"},
        [&](bool is_wrong) { redistribute(Exec{}, system.a, is_wrong ? used_up : into, 0); });
  wrong("b|n|factor", {"\\b0\\b", "\\b24\\b"},
        [&](bool is_wrong) { (is_wrong ? used_up_factor : l).solve(Exec{}, Kokkos::View<double*>("b", n)); });
  wrong_on_one("n|matrix", {"\\b0\\b", "\\b24\\b"},
               [&](bool is_wrong) { norm_one(Exec{}, is_wrong ? used_up : into); });
  wrong_on_one("n|matrix", {"\\b0\\b", "\\b24\\b"},
               [&](bool is_wrong) { inner_product(Exec{}, is_wrong ? used_up : into, Dominant<double>{n}); });
  wrong_on_one("n|factor", {"\\b0\\b", "\\b24\\b"},
               [&](bool is_wrong) { (is_wrong ? used_up_factor : l).reciprocal_condition(Exec{}, 2); });
  wrong("d|n|factor", {"\\b0\\b", "\\b24\\b"}, [&](bool is_wrong) {
    (is_wrong ? used_up_factor : l).inverse_diagonal(Exec{}, Kokkos::View<double*>("d", n));
  });
  wrong_on_one("n|factor", {"\\b0\\b", "\\b24\\b"}, [&](bool is_wrong) {
    auto fresh = factor();
    invert(Exec{}, std::move(is_wrong ? used_up_factor : fresh));
  });
  EXPECT_EQ(norm_one(Exec{}, used_up), 0);
  EXPECT_EQ(inner_product(Exec{}, used_up, Dominant<double>{n}), 0);
  EXPECT_EQ(used_up_factor.reciprocal_condition(Exec{}, 2), 1);
  EXPECT_EQ(used_up.n(), 0);
  EXPECT_EQ(used_up.view({0}, {0}, {0}, {0}).size(), 0U);
  used_up.fill(Exec{}, Dominant<double>{0});
  const Factor empty = factorize(Exec{}, std::move(used_up));
  EXPECT_EQ(empty.log_determinant(), 0);
  expect_good(l);
}

}  // namespace
}  // namespace tessera::testing

// SPDX-License-Identifier: BSD-3-Clause
#include "armed.hpp"
#include "environment.hpp"
#include "scalapack.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>

// tessera_scalapack, linked before ScaLAPACK: the results, INFO and arrays of each call beside those of ScaLAPACK.
namespace tessera::testing {
namespace {

/// ScaLAPACK itself, which the program would call without tessera_scalapack.
void* scalapack() {
  void* const library = dlopen(TESSERA_SCALAPACK_LIBRARY, RTLD_NOW | RTLD_NOLOAD);
  if (library == nullptr) throw std::runtime_error(dlerror());
  return library;
}

/// What tessera_scalapack says of one call on its process (0, 0).
class Trace {
 public:
  Trace()
      : file_("scalapack_door_test.np" + std::to_string(size_of(MPI_COMM_WORLD)) + ".trace"),
        variable_("TESSERA_SCALAPACK_TRACE", file_) {
    if (rank_in(MPI_COMM_WORLD) == 0) std::remove(file_.c_str());
  }
  ~Trace() {
    if (rank_in(MPI_COMM_WORLD) == 0) std::remove(file_.c_str());
  }

  /// On rank 0, which is process (0, 0) of all contexts here: the lines since the last time.
  std::string take() {
    std::ifstream in(file_);
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    std::remove(file_.c_str());
    return text;
  }

 private:
  std::string file_;
  Variable variable_;
};

struct Case {
  char uplo = 'L';
  int n = 23;
  int nb = 4;
  int nrhs = 3;
  int i = 0;  // where sub(A) and sub(B) begin
  int j = 0;
  int rsrc = 0;
  int csrc = 0;
};

template <class T>
class ScalapackDoorTest : public ::testing::Test {
 protected:
  using R = Real<T>;
  using A = BlockCyclicArray<T>;

  MPI_Comm comm = MPI_COMM_WORLD;
  int ranks = size_of(comm);
  Routines<T> door{RTLD_DEFAULT};
  Routines<T> plain{scalapack()};
  Trace trace;

  static constexpr R epsilon = std::numeric_limits<R>::epsilon();

  static auto triangle(const Case& c) {
    return [c](std::int64_t i, std::int64_t j) {
      return i >= 0 && j >= 0 && i < c.n && j < c.n && (c.uplo == 'L' ? i >= j : i <= j);
    };
  }
  template <class F>
  static A matrix(const BlacsContext& context, const Case& c, const F& f) {
    A a(context, c.n, c.n, c.nb, c.nb, c.i, c.j, c.rsrc, c.csrc);
    a.set(f, triangle(c));
    return a;
  }
  static A right_hand_sides(const BlacsContext& context, const Case& c) {
    A b(context, c.n, c.nrhs, c.nb, 2, c.i, 1, c.rsrc, (c.csrc + 1) % context.grid.cols);
    b.set([](std::int64_t i, std::int64_t j) { return scalar<T>(noise(i, j, 5), noise(i, j, 6)); },
          [c](std::int64_t i, std::int64_t j) { return i >= 0 && j >= 0 && i < c.n && j < c.nrhs; });
    return b;
  }

  // Each returns INFO.
  static int factor(typename Routines<T>::Factor* routine, const Case& c, A& a) {
    int info = -77;
    routine(&c.uplo, &c.n, a.numbers.data(), &a.ia, &a.ja, a.desc.data(), &info, 1);
    return info;
  }
  static int solve(typename Routines<T>::Solve* routine, const Case& c, A& a, A& b) {
    int info = -77;
    routine(&c.uplo, &c.n, &c.nrhs, a.numbers.data(), &a.ia, &a.ja, a.desc.data(), b.numbers.data(), &b.ia, &b.ja,
            b.desc.data(), &info, 1);
    return info;
  }
  /// With workspace of so much less than is asked for.
  static int condition(typename Routines<T>::Condition* routine, const Case& c, A& a, R norm, R& rcond, int less = 0) {
    int info = -77;
    T asked[2] = {};
    typename Routines<T>::Work more_asked[2] = {};
    const int query = -1;
    routine(&c.uplo, &c.n, a.numbers.data(), &a.ia, &a.ja, a.desc.data(), &norm, &rcond, asked, &query, more_asked,
            &query, &info, 1);
    if (info != 0) return info;
    const int lwork = static_cast<int>(detail::real(asked[0])) - less;
    const int lmore = static_cast<int>(more_asked[0]);
    std::vector<T> work(static_cast<std::size_t>(std::max(lwork, 1)));
    std::vector<typename Routines<T>::Work> more(static_cast<std::size_t>(std::max(lmore, 1)));
    routine(&c.uplo, &c.n, a.numbers.data(), &a.ia, &a.ja, a.desc.data(), &norm, &rcond, work.data(), &lwork,
            more.data(), &lmore, &info, 1);
    return info;
  }

  /// The same numbers but for rounding, and the same bits where nothing was to be written.
  template <class Written>
  void expect_close(A& mine, A& theirs, const Written& written) const {
    std::size_t wrong = 0;
    mine.for_each([&](std::int64_t i, std::int64_t j, T& x) {
      const T y = theirs.numbers[static_cast<std::size_t>(&x - mine.numbers.data())];
      const bool good = written(i, j) ? std::abs(wide(x) - wide(y)) <= 50 * epsilon : x == A::marker();
      wrong += good ? 0 : 1;
    });
    EXPECT_EQ(wrong, 0u);
  }
  void expect_by_tessera(const BlacsContext& context, const char* routine) {
    if (context.row != 0 || context.col != 0) return;
    const std::string text = trace.take();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
    EXPECT_NE(text.find(Routines<T>::prefix() + routine + " "), std::string::npos) << text;
    EXPECT_NE(text.find(": Tessera\n"), std::string::npos) << text;
  }

  /// All routines beside ScaLAPACK's.
  void check(const BlacsContext& context, const Case& c) {
    SCOPED_TRACE(::testing::Message() << context.grid.rows << " x " << context.grid.cols << " " << c.uplo << " n "
                                      << c.n << " nb " << c.nb << " at " << c.i << " " << c.j << " on " << c.rsrc << " "
                                      << c.csrc);
    const Dominant<T> f{c.n};
    const auto in_b = [&](std::int64_t i, std::int64_t j) { return i >= 0 && j >= 0 && i < c.n && j < c.nrhs; };
    A mine = matrix(context, c, f);
    A theirs = mine;
    EXPECT_EQ(factor(door.potrf, c, mine), 0);
    expect_by_tessera(context, "potrf");
    EXPECT_EQ(factor(plain.potrf, c, theirs), 0);
    expect_close(mine, theirs, triangle(c));

    A x = right_hand_sides(context, c);
    A y = x;
    EXPECT_EQ(solve(door.potrs, c, mine, x), 0);
    expect_by_tessera(context, "potrs");
    EXPECT_EQ(solve(plain.potrs, c, theirs, y), 0);
    expect_close(x, y, in_b);

    A both = matrix(context, c, f);
    A z = right_hand_sides(context, c);
    EXPECT_EQ(solve(door.posv, c, both, z), 0);
    expect_by_tessera(context, "posv");
    expect_close(both, theirs, triangle(c));
    expect_close(z, y, in_b);

    R here = 0;
    R there = 0;
    EXPECT_EQ(condition(door.pocon, c, mine, 3, here), 0);
    EXPECT_EQ(condition(plain.pocon, c, theirs, 3, there), 0);
    if (context.row == 0 && context.col == 0) {
      const std::string text = trace.take();
      EXPECT_NE(text.find("handed on, LWORK: asks"), std::string::npos) << text;
      EXPECT_NE(text.find(": Tessera\n"), std::string::npos) << text;
    }
    EXPECT_GT(here, there / 5);  // two estimates
    EXPECT_LT(here, there * 5);

    EXPECT_EQ(factor(door.potri, c, mine), 0);
    expect_by_tessera(context, "potri");
    EXPECT_EQ(factor(plain.potri, c, theirs), 0);
    expect_close(mine, theirs, triangle(c));
  }
};
TYPED_TEST_SUITE(ScalapackDoorTest, Scalars);

TYPED_TEST(ScalapackDoorTest, AsScalapack) {
  for (const GridShape grid : all_grids(this->ranks)) {
    for (const char* order : {"Row-major", "Column-major"}) {
      // Contexts that end and begin again have the same number.
      const BlacsContext context(grid, order);
      for (const char uplo : {'L', 'U'}) {
        this->check(context, {.uplo = uplo});
        this->check(context, {.uplo = uplo, .n = 2, .nb = 5, .nrhs = 1});
        if (*order == 'C') continue;
        this->check(context, {.uplo = uplo, .i = 8, .j = 4, .rsrc = grid.rows - 1, .csrc = grid.cols / 2});
      }
    }
  }
}

TYPED_TEST(ScalapackDoorTest, TwoContextsOfWhichOneHasFewerRanks) {
  const BlacsContext all({1, this->ranks}, "Row-major");
  const BlacsContext one({1, 1}, "Row-major");
  const BlacsContext some({std::max(1, this->ranks - 1), 1}, "Column-major");
  for (const BlacsContext* context : {&all, &one, &some, &all}) {
    if (context->has_this_rank()) this->check(*context, {});
  }
}

TYPED_TEST(ScalapackDoorTest, NotPositiveDefinite) {
  using T = TypeParam;
  const BlacsContext context(nearly_square(this->ranks), "Row-major");
  for (const char uplo : {'L', 'U'}) {
    const Case c{.uplo = uplo};
    for (const int minor : {1, 4, 5, 23}) {
      auto a = this->matrix(context, c, Planted<T>{Defect::negative_pivot, minor - 1});
      EXPECT_EQ(this->factor(this->door.potrf, c, a), minor);
      this->expect_by_tessera(context, "potrf");
      a = this->matrix(context, c, Planted<T>{Defect::negative_pivot, minor - 1});
      auto b = this->right_hand_sides(context, c);
      const auto before = b.numbers;
      EXPECT_EQ(this->solve(this->door.posv, c, a, b), minor);
      this->expect_by_tessera(context, "posv");
      EXPECT_EQ(b.numbers, before);
    }
  }
}

TYPED_TEST(ScalapackDoorTest, AFactorThatIsNone) {
  using T = TypeParam;
  const BlacsContext context(nearly_square(this->ranks), "Row-major");
  const Case c{.n = 9};
  const auto zero_at_5 = [](std::int64_t i, std::int64_t j) { return i == j && i != 4 ? T(1) : T(0); };
  auto mine = this->matrix(context, c, zero_at_5);
  auto theirs = mine;
  EXPECT_EQ(this->factor(this->door.potri, c, mine), 5);
  EXPECT_EQ(this->factor(this->plain.potri, c, theirs), 5);
  EXPECT_EQ(mine.numbers, theirs.numbers);
}

TYPED_TEST(ScalapackDoorTest, WrongArguments) {
  using T = TypeParam;
  using Numbers = BlockCyclicArray<T>;
  const BlacsContext context(nearly_square(this->ranks), "Row-major");
  const bool last = rank_in(this->comm) == this->ranks - 1;
  struct Wrong {
    const char* what;
    std::function<void(Case&, Numbers&, Numbers&)> make;
  };
  const std::vector<Wrong> wrongs{
      {"UPLO", [](Case& c, Numbers&, Numbers&) { c.uplo = 'X'; }},
      {"N negative", [](Case& c, Numbers&, Numbers&) { c.n = -1; }},
      {"N beyond the array", [](Case& c, Numbers&, Numbers&) { c.n = 99; }},
      {"NRHS", [](Case& c, Numbers&, Numbers&) { c.nrhs = -1; }},
      {"IA", [](Case&, Numbers& a, Numbers&) { a.ia = 0; }},
      {"IA within a block", [](Case&, Numbers& a, Numbers&) { a.ia = 2; }},
      {"JA", [](Case&, Numbers& a, Numbers&) { a.ja = 30; }},
      {"type", [](Case&, Numbers& a, Numbers&) { a.desc[0] = 2; }},
      {"context", [](Case&, Numbers& a, Numbers&) { a.desc[1] = -1; }},
      {"NB", [](Case&, Numbers& a, Numbers&) { a.desc[5] = 3; }},
      {"MB", [](Case&, Numbers& a, Numbers&) { a.desc[4] = 0; }},
      {"RSRC", [&](Case&, Numbers& a, Numbers&) { a.desc[6] = context.grid.rows; }},
      {"LLD", [](Case&, Numbers& a, Numbers&) { a.desc[8] = 1; }},
      {"LLD on one", [last](Case&, Numbers& a, Numbers&) { a.desc[8] = last ? 0 : a.desc[8]; }},
      {"IB", [](Case&, Numbers&, Numbers& b) { b.ia = 2; }},
      {"B with other blocks", [](Case&, Numbers&, Numbers& b) { b.desc[4] = 5; }},
      {"B with fewer columns", [](Case&, Numbers&, Numbers& b) { b.desc[3] = 1; }},
      {"N on one", [last](Case& c, Numbers&, Numbers&) { c.n -= last ? 1 : 0; }},
      {"UPLO on one", [last](Case& c, Numbers&, Numbers&) { c.uplo = last ? 'U' : 'L'; }},
  };
  for (const Wrong& wrong : wrongs) {
    const std::string what = wrong.what;
    SCOPED_TRACE(what);
    if (this->ranks == 1 && what.ends_with(" on one")) continue;  // another problem, but maybe a good one
    Case c;
    Numbers a = this->matrix(context, c, Dominant<T>{c.n});
    Numbers b = this->right_hand_sides(context, c);
    const auto a_before = a.numbers;
    const auto b_before = b.numbers;
    wrong.make(c, a, b);
    const bool of_b = what.starts_with("B ") || what == "NRHS" || what == "IB";
    const bool all_look = what.starts_with("N ") || what.starts_with("JA") || what == "type" || what == "context";
    const auto all_of = [&](const Routines<T>& routines) {
      std::vector<int> infos{this->solve(routines.potrs, c, a, b)};
      if (!of_b) infos.push_back(this->factor(routines.potrf, c, a));
      if (all_look) infos.push_back(this->factor(routines.potri, c, a));  // ScaLAPACK's goes on with other wrong ones
      EXPECT_EQ(a.numbers, a_before);
      Numbers factored = a;  // which ScaLAPACK does before it looks at all of B
      infos.push_back(this->solve(routines.posv, c, factored, b));
      EXPECT_EQ(b.numbers, b_before);
      return infos;
    };
    const std::vector<int> infos = all_of(this->door);
    EXPECT_EQ(infos, all_of(this->plain));
    for (const int info : infos) EXPECT_LT(info, 0);
  }
}

TYPED_TEST(ScalapackDoorTest, Condition) {
  using T = TypeParam;
  const GridShape shape = nearly_square(this->ranks);
  const BlacsContext context(shape, "Row-major");
  Case c;
  auto a = this->matrix(context, c, Dominant<T>{c.n});
  EXPECT_EQ(this->factor(this->door.potrf, c, a), 0);
  using Exec = Kokkos::DefaultExecutionSpace;
  ShardedMatrix<T> matrix(ProcessGrid(this->comm, shape), c.n, c.nb);
  matrix.fill(Exec{}, Dominant<T>{c.n});
  const double expected = factorize(Exec{}, std::move(matrix)).reciprocal_condition(Exec{}, 3);
  Real<T> mine = 0;
  Real<T> theirs = 0;
  EXPECT_EQ(this->condition(this->door.pocon, c, a, 3, mine), 0);
  EXPECT_NEAR(mine / expected, 1, 100 * this->epsilon);
  EXPECT_EQ(this->condition(this->door.pocon, c, a, 3, mine, 1), -10);
  EXPECT_EQ(this->condition(this->plain.pocon, c, a, 3, theirs, 1), -10);
  EXPECT_EQ(this->condition(this->door.pocon, c, a, -1, mine), -7);
  EXPECT_EQ(this->condition(this->door.pocon, c, a, 0, mine), 0);
  EXPECT_EQ(mine, 0);
  c.uplo = 'X';
  EXPECT_EQ(this->condition(this->door.pocon, c, a, 3, mine), -1);
}

TYPED_TEST(ScalapackDoorTest, AnArrayThatIsNotAligned) {
  using T = TypeParam;
  const BlacsContext context(nearly_square(this->ranks), "Row-major");
  const Case c;
  auto mine = this->matrix(context, c, Dominant<T>{c.n});
  auto theirs = mine;
  std::vector<Real<T>> storage(mine.numbers.size() * (sizeof(T) / sizeof(Real<T>)) + 1);
  Real<T>* const odd = storage.data() + 1;
  std::memcpy(odd, static_cast<const void*>(mine.numbers.data()), mine.numbers.size() * sizeof(T));
  int info = -77;
  this->door.potrf(&c.uplo, &c.n, reinterpret_cast<T*>(odd), &mine.ia, &mine.ja, mine.desc.data(), &info, 1);
  EXPECT_EQ(info, 0);
  std::memcpy(static_cast<void*>(mine.numbers.data()), odd, mine.numbers.size() * sizeof(T));
  EXPECT_EQ(this->factor(this->plain.potrf, c, theirs), 0);
  this->expect_close(mine, theirs, this->triangle(c));
}

using ScalapackDoorMemoryTest = ScalapackDoorTest<double>;

// Memory that does not suffice on one rank: ScaLAPACK does the work, or, if it is too late for that, INFO says so, on
// all ranks alike; and the next call works.
TEST_F(ScalapackDoorMemoryTest, AllocationsThatFail) {
  if (!frees_without_heap()) GTEST_SKIP() << "this Kokkos ends the program where a View is freed without memory";
  const Dominant<double> f{9};
  for (const char uplo : {'L', 'U'}) {
    const Case c{.uplo = uplo, .n = 9};
    const auto in_b = [&](std::int64_t i, std::int64_t j) { return i >= 0 && j >= 0 && i < c.n && j < c.nrhs; };
    int handed_on = 0;
    int lost = 0;
    for (int number = 1, failed = 1; failed != 0; number += ranks > 3 ? 5 : 1) {
      const BlacsContext context(nearly_square(ranks), "Row-major");  // whose grid also needs memory
      A a = matrix(context, c, f);
      A x = right_hand_sides(context, c);
      A expected = x;
      const auto before = std::pair(a.numbers, x.numbers);
      if (rank_in(comm) == ranks - 1) heap = {number, false, {}};
      const int info = solve(door.posv, c, a, x);
      failed = heap.failed ? 1 : 0;
      heap = {};
      MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, comm);
      if (info == 0) {
        EXPECT_EQ(solve(plain.potrs, c, a, expected), 0);
        expect_close(x, expected, in_b);
        handed_on += failed;
      } else {
        EXPECT_EQ(info, -4);
        ++lost;
        // A copy has not come back unless there was memory for that. A lone rank may lack what names a message's parts.
        int changed = std::pair(a.numbers, x.numbers) != before ? 1 : 0;
        MPI_Allreduce(MPI_IN_PLACE, &changed, 1, MPI_INT, MPI_MAX, comm);
        if (uplo == 'U' && ranks > 1) {
          EXPECT_EQ(changed, 1);
        }
      }
    }
    EXPECT_GT(handed_on, 0);
    EXPECT_GT(lost, 0);
  }
}

}  // namespace
}  // namespace tessera::testing

// SPDX-License-Identifier: BSD-3-Clause
#include "calls.hpp"
#include "factor_operations.hpp"
#include "jacobians.hpp"
#include "kernels/backend.hpp"
#include "operators.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

// What a Kokkos tool sees of a call: names that say whose they are, on the
// instance that was given.
namespace tessera::testing {
namespace {

namespace tools = Kokkos::Tools::Experimental;
using Exec = Kokkos::DefaultExecutionSpace;

struct Kernel {
  std::string name;
  std::uint32_t instance;
};
struct Seen {
  std::vector<Kernel> kernels;
  std::vector<std::string> views;
  std::vector<std::string> regions;
  std::vector<std::string> outer_regions;
  int open_regions = 0;
  std::vector<Kernel> fences;
};
Seen* seen = nullptr;

void on_kernel(const char* name, std::uint32_t instance, std::uint64_t*) { seen->kernels.push_back({name, instance}); }
void on_fence(const char* name, std::uint32_t instance, std::uint64_t*) { seen->fences.push_back({name, instance}); }
void on_region(const char* name) {
  seen->regions.emplace_back(name);
  if (seen->open_regions++ == 0) seen->outer_regions.emplace_back(name);
}
void on_region_end() { --seen->open_regions; }
void on_view(Kokkos_Profiling_SpaceHandle, const char* label, const void*, std::uint64_t) {
  seen->views.emplace_back(label);
}

/// What `call` makes Kokkos do.
template <class Call>
Seen watch(const Call& call) {
  Seen result;
  seen = &result;
  tools::set_begin_parallel_for_callback(on_kernel);
  tools::set_begin_parallel_reduce_callback(on_kernel);
  tools::set_begin_parallel_scan_callback(on_kernel);
  tools::set_begin_fence_callback(on_fence);
  tools::set_push_region_callback(on_region);
  tools::set_pop_region_callback(on_region_end);
  tools::set_allocate_data_callback(on_view);
  call();
  tools::set_begin_parallel_for_callback(nullptr);
  tools::set_begin_parallel_reduce_callback(nullptr);
  tools::set_begin_parallel_scan_callback(nullptr);
  tools::set_begin_fence_callback(nullptr);
  tools::set_push_region_callback(nullptr);
  tools::set_pop_region_callback(nullptr);
  tools::set_allocate_data_callback(nullptr);
  seen = nullptr;
  return result;
}

bool is_ours(const std::string& label) { return label.starts_with("tessera::"); }
/// What Kokkos and Kokkos Kernels do of their own accord: the regions of their
/// BLAS, a team's scratch memory, what an instance keeps, and, before Kokkos 4,
/// a kernel where a View of complex numbers ends.
bool is_theirs(const std::string& label) {
  return label.starts_with("KokkosBlas::") || label.ends_with("::scratch_mem") || label.starts_with("Kokkos::");
}
/// What operators of the tests launch.
bool is_the_tests(const std::string& label) { return label.starts_with("test::"); }

template <class T>
struct ToolsTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;

  /// Everything there is to call, on `exec`; what the tests themselves need has
  /// been made before.
  template <class Space>
  Seen everything(const Space& exec) const {
    using MemorySpace = typename Space::memory_space;
    const System<T> system(comm, 50);
    System<T> spoilt(comm, 50);
    spoilt.spoil();
    const auto tree = std::tuple{Kokkos::View<T*>("b", 20), Kokkos::View<T**, Kokkos::LayoutRight>("b", 6, 5)};
    const Kokkos::View<T**, Kokkos::LayoutRight> b("b", 50, 3);
    Operator<Dominant<T>> a{system.f};
    const auto samples =
        make_samples<Kokkos::View<T**>>(even_shards(50, size_of(comm)), rank_in(comm), 30, Jacobian<T>{});
    const Gram kernel{samples, {.subtract_column_means = true, .subtract_row_means = true}};
    const Gram metric{make_samples<Kokkos::View<T**>>(even_shards(70, size_of(comm)), rank_in(comm), 50, Jacobian<T>{}),
                      {.form = GramForm::jh_j, .subtract_column_means = true}};
    const auto appended = make_rows<Kokkos::View<T**>>({50, 52}, 0, 52, Dominant<T>{52});
    // A view in another space than exec's, where there are several.
    const auto rows = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, system.a);
    return watch([&] {
      for (const GridShape grid : all_grids(size_of(comm))) {
        for (const std::int64_t tile : {7, 0}) {
          const CholeskyOptions options{.local_tile_size = tile, .grid = grid, .on_failure = Failure::fill_nan};
          cholesky_distributed(exec, comm, system.a, system.b, options);
          cholesky_distributed(exec, comm, rows, tree, options);
          cholesky_distributed(exec, comm, spoilt.a, system.b, options);
          cholesky_distributed(exec, comm, a, b, options);
          cholesky_distributed(exec, comm, kernel, b, options);
          cholesky_distributed(exec, comm, metric, b, options);
          a.calls.clear();
        }
        ShardedMatrix<T, MemorySpace> matrix(ProcessGrid(comm, grid), 50, 6, 12, 2);
        matrix.fill(exec, system.f);
        redistribute(exec, system.a, matrix, 0.5, Triangle::lower);
        auto l = factorize(exec, std::move(matrix));
        for (const FactorOperation operation : factor_operations) call(operation, l, exec, b);
        l.append(exec, appended);
      }
    });
  }

  /// Every kernel ran where it should, and no fence waited for the whole
  /// device.
  template <class Space>
  void expect_on(const Space& exec, const Seen& what) const {
    const std::uint32_t given = tools::device_id(exec);
    const std::uint32_t host_kind = tools::device_id(Kokkos::DefaultHostExecutionSpace{}) >> 24;
    for (const Kernel& kernel : what.kernels) {
      if (kernels::is_host<Space>) {
        EXPECT_EQ(kernel.instance, given) << kernel.name;
      } else if (kernel.instance >> 24 != host_kind) {  // instances forked from it, perhaps
        EXPECT_NE(kernel.instance, tools::device_id(Space{})) << kernel.name;
        EXPECT_EQ(kernel.instance >> 24, given >> 24) << kernel.name;
      } else {
        EXPECT_EQ(kernel.name, "tessera::solve::gather") << "the host gathers what lies in its memory, and no more";
      }
    }
    for (const Kernel& fence : what.fences) {
      EXPECT_EQ(fence.name.find("Unnamed Global Fence"), std::string::npos) << fence.name;
    }
  }
};
TYPED_TEST_SUITE(ToolsTest, Scalars);

TYPED_TEST(ToolsTest, EverythingHasALabelOfOurs) {
  const Seen what = this->everything(Exec{});
  std::set<std::string> foreign;
  bool any_of_ours = false;
  const auto look = [&](const std::string& kind, const std::string& label) {
    any_of_ours = any_of_ours || is_ours(label);
    if (!is_ours(label) && !is_the_tests(label) && !is_theirs(label)) foreign.insert(kind + label);
  };
  for (const Kernel& kernel : what.kernels) look("kernel ", kernel.name);
  EXPECT_TRUE(std::exchange(any_of_ours, false)) << "no kernel";
  for (const std::string& label : what.views) look("view ", label);
  EXPECT_TRUE(std::exchange(any_of_ours, false)) << "no View";
  for (const std::string& name : what.regions) look("region ", name);
  EXPECT_TRUE(any_of_ours) << "no region";
  for (const std::string& label : foreign) ADD_FAILURE() << label;  // each once
}

TYPED_TEST(ToolsTest, EachCallIsOneRegion) {
  using T = TypeParam;
  const System<T> system(this->comm);
  System<T> spoilt(this->comm);
  spoilt.spoil();
  const auto expect = [](const char* region, const auto& call) {
    const Seen what = watch(call);
    EXPECT_EQ(what.outer_regions, std::vector<std::string>{region});
    EXPECT_EQ(what.open_regions, 0) << region;
  };
  const CholeskyDistributed solver{.comm = this->comm};
  expect("tessera::cholesky_distributed", [&] { cholesky_distributed(this->comm, system.a, system.b); });
  expect("tessera::cholesky_distributed", [&] { solver(system.a, system.b); });
  expect("tessera::cholesky_distributed",
         [&] { EXPECT_THROW(cholesky_distributed(this->comm, spoilt.a, system.b), NotPositiveDefinite); });

  ShardedMatrix<T> matrix(ProcessGrid(this->comm), system.n, 0, 0, 2);
  const auto f = system.f;
  expect("tessera::fill", [&] { matrix.fill(Exec{}, f); });
  expect("tessera::redistribute", [&] { redistribute(Exec{}, system.a, matrix, 0, Triangle::lower); });
  expect("tessera::norm_one", [&] { norm_one(Exec{}, matrix); });
  expect("tessera::inner_product", [&] { inner_product(Exec{}, matrix, f); });
  std::optional<CholeskyFactor<T>> l;
  expect("tessera::factorize", [&] { l.emplace(factorize(Exec{}, std::move(matrix))); });
  expect("tessera::solve", [&] { l->solve(Exec{}, system.b); });
}

#ifdef KOKKOS_ENABLE_SERIAL
TYPED_TEST(ToolsTest, SerialIsUsedWhereItIsGiven) {
  if (!detail::accessible<Kokkos::Serial, Exec::memory_space>) GTEST_SKIP() << "a and b are where Serial can't work";
  this->expect_on(Kokkos::Serial{}, this->everything(Kokkos::Serial{}));
}
#endif

#if KOKKOS_VERSION >= 40000
/// An instance that is not the default one; none where there is but one thread to share out.
std::optional<Exec> another_instance() {
  if (Exec{}.concurrency() < 2) return std::nullopt;
  return Kokkos::Experimental::partition_space(Exec{}, 1, 1)[1];
}

TYPED_TEST(ToolsTest, EverythingRunsOnTheInstanceThatIsGiven) {
  const auto instance = another_instance();
  if (!instance) GTEST_SKIP() << "one thread, one instance";
  if (tools::device_id(*instance) == tools::device_id(Exec{})) {
    GTEST_SKIP() << "this Kokkos gives a tool the same number for all instances of " << Exec::name();
  }
  this->expect_on(*instance, this->everything(*instance));
}

/// An operator that must be asked on the instance that the call was given.
template <class T>
struct OnInstance {
  Operator<Dominant<T>> a;
  Exec given;

  template <class Rows>
  void to_dense(const Exec& exec, std::int64_t first_row, const Rows& rows) {
    EXPECT_TRUE(exec == given);
    a.to_dense(exec, first_row, rows);
  }
};

TYPED_TEST(ToolsTest, OperatorIsAskedOnTheInstanceThatIsGiven) {
  const auto instance = another_instance();
  if (!instance) GTEST_SKIP() << "one thread, one instance";
  ASSERT_FALSE(*instance == Exec{});
  const System<TypeParam> system(this->comm);
  OnInstance<TypeParam> a{{system.f}, *instance};
  EXPECT_TRUE(system.is_solved_by(to_host(cholesky_distributed(*instance, this->comm, a, system.b).x)));
}
#endif

}  // namespace
}  // namespace tessera::testing

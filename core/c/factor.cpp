// SPDX-License-Identifier: BSD-3-Clause
#include "core/c/arguments.hpp"
#include "core/c/errors.hpp"

#include <limits>
#include <optional>

/// A factor of any scalar, in the memory of any execution space.
struct tessera_factor {
  virtual ~tessera_factor() = default;
  virtual const tessera::ProcessGrid& grid() const = 0;
  virtual std::int64_t n() const = 0;
  virtual int scalar() const = 0;
  virtual int real_scalar() const = 0;
  virtual double log_determinant() const = 0;
  virtual void apply(tessera::detail::FactorOperation operation, const tessera_array& b) const = 0;
  virtual void inverse_diagonal(const tessera_array& d) const = 0;
};

namespace tessera::c {
namespace {

template <class T, class Exec>
class Factor : public tessera_factor {
 public:
  using MemorySpace = typename Exec::memory_space;

  Factor(const Exec& exec, CholeskyFactor<T, MemorySpace>&& l) : exec_(exec), l_(std::move(l)) {}

  const ProcessGrid& grid() const override { return l_.grid(); }
  std::int64_t n() const override { return l_.n(); }
  int scalar() const override { return scalar_of<T>; }
  int real_scalar() const override { return scalar_of<detail::RealOf<T>>; }
  double log_determinant() const override { return l_.log_determinant(); }

  void apply(detail::FactorOperation operation, const tessera_array& b) const override {
    with_memory(b.memory, [&]<class Space>() {
      const auto view = array_view<T, Space>(b);
      if (b.by_rows == 1) {
        apply_to(operation, ByRows{view});
      } else {
        apply_to(operation, view);
      }
    });
  }

  void inverse_diagonal(const tessera_array& d) const override {
    with_memory(d.memory, [&]<class Space>() {
      l_.inverse_diagonal(exec_, Kokkos::subview(array_view<detail::RealOf<T>, Space>(d), Kokkos::ALL(), 0));
    });
  }

 private:
  template <class B>
  void apply_to(detail::FactorOperation operation, const B& b) const {
    switch (operation) {
      case detail::FactorOperation::solve:
        return l_.solve(exec_, b);
      case detail::FactorOperation::solve_lower:
        return l_.solve_lower(exec_, b);
      case detail::FactorOperation::solve_upper:
        return l_.solve_upper(exec_, b);
      case detail::FactorOperation::multiply_lower:
        return l_.multiply_lower(exec_, b);
      case detail::FactorOperation::multiply_upper:
        return l_.multiply_upper(exec_, b);
    }
  }

  Exec exec_;
  CholeskyFactor<T, MemorySpace> l_;
};

/// Collective. The arguments' own faults are known to all ranks, but not yet whether they fit.
template <class T, class Exec>
std::unique_ptr<tessera_factor> factor_as(std::shared_ptr<const detail::Communicator> communicator, std::int64_t n,
                                          const Matrix& a, const CholeskyOptions& options, CholeskyInfo& info) {
  using MemorySpace = typename Exec::memory_space;
  using Access = detail::FactorAccess<T, MemorySpace>;
  const int ranks = detail::size_of(*communicator);
  std::optional<Exec> exec;
  detail::agree(*communicator, "the arguments of tessera_factorize", [&](detail::Agreement& agreement) {
    agreement.same("scalar of a", detail::scalar_name<T>());
    agreement.same("memory space", std::string(MemorySpace::name()));
    agreement.same("n", n);
    detail::require_dimensions(n, 1, 0, 0);
    detail::MatrixSource<const Matrix, T, Exec>::describe(agreement, a, n);
    detail::describe_options(agreement, options, ranks);
    detail::require_shifts(options, detail::largest_real<T>);
    info.tries.reserve(1);
    exec.emplace();
  });
  info.grid = options.grid.value_or(nearly_square(ranks));
  info.tile_size = detail::tile_size_for<T, MemorySpace>(options.local_tile_size, n, info.grid);

  const ProcessGrid grid(std::move(communicator), info.grid, options.mpi_buffers);
  detail::Memory<MemorySpace> memory;
  auto factored = detail::factor_with_shifts<T>(*exec, grid, a, n, options, memory, info);
  if (info.leading_minor > 0) throw NotPositiveDefinite(info.leading_minor);
  memory.tiles = {};  // the factor has them
  std::unique_ptr<tessera_factor> result;
  detail::collectively(grid.communicator(), [&] {
    Access::keep(factored.factor, std::move(memory));
    result = std::make_unique<Factor<T, Exec>>(*exec, std::move(factored.factor));
  });
  return result;
}

tessera_status factorize(int comm, std::int64_t n, const Matrix& a, const tessera_options* given, tessera_info* info,
                         tessera_factor** factor) {
  if (factor != nullptr) *factor = nullptr;
  return guarded([&] {
    CholeskyOptions options;
    int space = TESSERA_DEFAULT_SPACE;
    const auto communicator = begin(comm, "tessera_factorize", [&] {
      a.require();
      const auto all = complete("options.size", given, tessera_options_init);
      options = options_of(all);
      require_space(space = all.space);
      require_info(info);
      if (factor == nullptr) detail::throw_misuse("factor", "is null");
    });
    noting_minor(info, [&] {
      with_scalar(a.scalar(), [&]<class T>() {
        with_space(space, [&]<class Exec>() {
          CholeskyInfo done;
          *factor = factor_as<T, Exec>(communicator, n, a, options, done).release();
          write_info(done, info);
        });
      });
    });
  });
}

/// Collective over the factor's ranks. work(), after check() on each rank.
template <class Check, class Work>
tessera_status with_factor(const tessera_factor* factor, const char* operation, const Check& check, const Work& work) {
  return guarded([&] {
    if (factor == nullptr) detail::throw_misuse("factor", "is null");
    detail::agree(factor->grid().communicator(), operation, [&](detail::Agreement&) {
      detail::require_kokkos();
      check();
    });
    work();
  });
}

void require_scalar_of(const char* argument, int scalar, int needed) {
  if (scalar == needed) return;
  detail::throw_misuse(argument,
                       "must be " + std::to_string(needed) + ", as the factor has it, got " + std::to_string(scalar));
}

tessera_status apply(tessera_factor* factor, detail::FactorOperation operation, const tessera_array* b) {
  const auto check = [&] {
    require_array("b", b);
    require_scalar_of("b.scalar", b->scalar, factor->scalar());
  };
  return with_factor(factor, detail::name_of(operation), check, [&] { factor->apply(operation, *b); });
}

}  // namespace
}  // namespace tessera::c

using namespace tessera;
using namespace tessera::c;
using detail::FactorOperation;

tessera_status tessera_factorize(int comm, int64_t n, const tessera_array* a, const tessera_options* options,
                                 tessera_info* info, tessera_factor** factor) {
  return factorize(comm, n, {.rows = a}, options, info, factor);
}

tessera_status tessera_factorize_operator(int comm, int64_t n, const tessera_operator* a,
                                          const tessera_options* options, tessera_info* info, tessera_factor** factor) {
  return factorize(comm, n, {.on_request = a, .is_operator = true}, options, info, factor);
}

void tessera_factor_free(tessera_factor* factor) {
  if (Kokkos::is_initialized()) delete factor;  // Kokkos can no longer free a View, and would end the program
}

tessera_status tessera_solve(tessera_factor* factor, const tessera_array* b) {
  return apply(factor, FactorOperation::solve, b);
}
tessera_status tessera_solve_lower(tessera_factor* factor, const tessera_array* b) {
  return apply(factor, FactorOperation::solve_lower, b);
}
tessera_status tessera_solve_upper(tessera_factor* factor, const tessera_array* b) {
  return apply(factor, FactorOperation::solve_upper, b);
}
tessera_status tessera_multiply_lower(tessera_factor* factor, const tessera_array* b) {
  return apply(factor, FactorOperation::multiply_lower, b);
}
tessera_status tessera_multiply_upper(tessera_factor* factor, const tessera_array* b) {
  return apply(factor, FactorOperation::multiply_upper, b);
}

tessera_status tessera_inverse_diagonal(tessera_factor* factor, const tessera_array* d) {
  const auto check = [&] {
    require_array("d", d);
    require_scalar_of("d.scalar", d->scalar, factor->real_scalar());
    if (d->columns != 1) detail::throw_misuse("d.columns", "must be 1, got " + std::to_string(d->columns));
  };
  return with_factor(factor, "inverse_diagonal", check, [&] { factor->inverse_diagonal(*d); });
}

tessera_status tessera_factor_refuse(tessera_factor* factor, const char* text) {
  const auto check = [&] { throw detail::Misuse(text); };
  return with_factor(factor, "tessera_factor_refuse", check, [] {});
}

double tessera_log_determinant(const tessera_factor* factor) {
  return factor == nullptr ? std::numeric_limits<double>::quiet_NaN() : factor->log_determinant();
}

int64_t tessera_n(const tessera_factor* factor) { return factor == nullptr ? -1 : factor->n(); }

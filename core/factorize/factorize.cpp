// SPDX-License-Identifier: BSD-3-Clause
#include "core/bytes_free.hpp"
#include "core/factorize/block_columns.hpp"
#include "core/factorize/diagonal.hpp"
#include "core/factorize/integer_columns.hpp"
#include "core/factorize/leaf_inverses.hpp"
#include "core/factorize/step_writer.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/cholesky_distributed.hpp"

#include <exception>
#include <optional>
#include <utility>
#include <vector>

namespace tessera::detail {

template <class T, class Exec>
bool takes_one_launch(const Exec& exec, const Communicator& communicator) {
  std::int64_t on_all = 0;
  if constexpr (!kernels::is_host<Exec>) {
    collectively(communicator, [&] { on_all = kernels::Cholesky<Exec>::template fits<T>(exec) ? 1 : 0; });
    communicator.all_reduce_min(&on_all, 1);
  }
  return on_all == 1;
}

/// A = L L^H, left-looking: step by step, of which a rank has as many in flight as it has slots.
template <class T, class Exec>
class Factorization {
 public:
  using MemorySpace = typename Exec::memory_space;

  static Factored<T, MemorySpace> run(const Exec& exec, ShardedMatrix<T, MemorySpace>&& a,
                                      const FactorizeOptions& options, Memory<MemorySpace>& memory,
                                      const Schedule& schedule, std::int64_t beside) {
    const Region region("tessera::factorize");
    const ProcessGrid grid = a.grid();
    const SlabLayout layout = a.layout();
    using Access = FactorAccess<T, MemorySpace>;
    Factored<T, MemorySpace> result{Access::make(std::move(a))};
    CholeskyFactor<T, MemorySpace>& factor = result.factor;
    ShardedMatrix<T, MemorySpace>& matrix = Access::matrix(factor);
    std::optional<FactorizeBuffers<T, Exec>> buffers;
    std::optional<AboveDiagonal<T, Exec>> above_diagonal;  // which ends after what works on the matrix
    std::optional<IntegerUpdates<T, Exec>> integers;
    std::optional<BlockColumns<T, Exec>> columns;
    std::exception_ptr callback_exception;
    result.integers = integers_for(exec, matrix, options, schedule, beside);
    const int moduli = result.integers.moduli;
    Access::set_integers(factor, result.integers);
    if constexpr (!kernels::is_host<Exec>) {
      if (FactorizeInOneLaunch<T, Exec>::suits(layout, moduli, schedule) &&
          takes_one_launch<T>(exec, grid.communicator())) {
        run_in_one_launch(exec, options.progress, memory, result);
        return result;
      }
    }
    const auto take_memory = [&] {
      buffers = buffers_in<FactorizeBuffers<T, Exec>>(memory, layout, result.integers, schedule);
    };
    if (moduli > 0) {
      collectively(grid.communicator(), take_memory);
      gather_diagonal(exec, matrix, buffers->diagonal_values);
    }
    collectively(grid.communicator(), [&] {
      if (!buffers) take_memory();
      above_diagonal.emplace(exec, matrix, moduli, buffers->above_diagonal);
      if (moduli > 0) {
        integers.emplace(exec, layout, result.integers, *buffers->residues, buffers->diagonal_values);
      }
      columns.emplace(exec, matrix, *buffers, memory, integers ? &*integers : nullptr, result.seconds);
      Factorization(*columns, schedule, options.progress, callback_exception)
          .run(steps_in_order<MemorySpace>(layout, result.integers));
      result.leading_minor = columns->failing_minor();
      above_diagonal->give_back();
    });
    settle(grid.communicator(), callback_exception);
    grid.communicator().all_reduce_min(&result.leading_minor, 1);
    if (result.leading_minor != kernels::no_failure) return result;
    result.leading_minor = 0;
    if constexpr (Leaves<MemorySpace>::has_inverses) {
      const Timed timed(result.seconds.panel, "tessera::factorize::invert");
      collectively(grid.communicator(), [&] { invert_leaves(exec, matrix); });
    }
    Access::set_log_determinant(factor, log_determinant(exec, matrix, buffers->diagonal_values));
    return result;
  }

 private:
  /// All of run(), on the rank that has the matrix, which tells the others.
  static void run_in_one_launch(const Exec& exec, const Progress& progress, Memory<MemorySpace>& memory,
                                Factored<T, MemorySpace>& result) {
    using Access = FactorAccess<T, MemorySpace>;
    const ShardedMatrix<T, MemorySpace>& matrix = result.factor.matrix();
    using OneLaunch = FactorizeInOneLaunch<T, Exec>;
    const ProcessGrid& grid = matrix.grid();
    typename OneLaunch::Outcome outcome;
    collectively(grid.communicator(), [&] {
      if (!is_here(matrix.layout())) return;
      const auto launch = buffers_in<OneLaunch>(memory, matrix.layout());
      const Timed timed(result.seconds.panel, "tessera::factorize::one_launch");
      outcome = launch.run(exec, matrix);
    });
    grid.communicator().broadcast(&outcome, sizeof outcome, grid.rank_of(0, 0));
    if (outcome.failing_minor != kernels::no_failure) {
      result.leading_minor = outcome.failing_minor;
    } else {
      Access::set_log_determinant(result.factor, outcome.log_determinant);
    }
    settle(grid.communicator(), exception_of([&] {
             if (progress && matrix.n() > 0) progress(matrix.n(), matrix.n());
           }));
  }

  Factorization(BlockColumns<T, Exec>& columns, const Schedule& schedule, const Progress& progress,
                std::exception_ptr& callback_exception)
      : columns_(columns), schedule_(schedule), progress_(progress), callback_exception_(callback_exception) {}

  /// Collective. What is multiplied by integers, so that each rank has memory for it.
  static Integers integers_for(const Exec& exec, const ShardedMatrix<T, MemorySpace>& matrix,
                               const FactorizeOptions& options, const Schedule& schedule, std::int64_t beside) {
    const SlabLayout& layout = matrix.layout();
    const std::int64_t n = layout.rows.n;
    const int moduli = moduli_for<T, Exec>(options.arithmetic, options.moduli, n, matrix.grid().size());
    if (moduli == 0) return {};
    if (schedule.integer_width > 0 && can_be_made_anew(layout)) return {moduli, n, schedule.integer_width};
    const Communicator& communicator = matrix.grid().communicator();
    const std::int64_t bytes = bytes_free_for(exec, communicator, options.bytes_free);
    Integers integers;
    collectively(communicator, [&] {
      std::int64_t held = saturated_sum(bytes_with_inverses(matrix), beside);
      // What the caller has is no part of what is free.
      if (matrix.is_adopted() && options.bytes_free) held -= saturated_round_up(matrix.bytes(), 8);
      integers =
          integers_that_fit<MemorySpace>(layout, moduli, schedule.most_integer_columns, [&](const Integers& some) {
            return saturated_sum(held, factorize_bytes<T, Exec>(layout, some, schedule)) <= bytes;
          });
    });
    communicator.all_reduce_min(&integers.columns, 1);
    return worthwhile<MemorySpace>(options.arithmetic, integers, n);
  }

  void run(const std::vector<Step>& steps) {
    Transfers<Exec>& transfers = columns_.transfers();
    PhaseSeconds& seconds = columns_.seconds();
    run_task_lists(
        static_cast<std::int64_t>(steps.size()), columns_.slots(),
        [&](std::int64_t i, int slot) { return tasks_of(steps[static_cast<std::size_t>(i)], slot); },
        [&] {
          if (transfers.idle()) return;
          Timed timed(seconds.exchange, "tessera::factorize::exchange");
          if (!transfers.progress()) timed.book_to(seconds.waiting);
        },
        [&] {
          const Timed timed(seconds.waiting, "tessera::factorize::waiting");
          transfers.wait_some();
        });
  }

  TaskList tasks_of(const Step& step, int slot) {
    TaskList tasks;
    StepWriter<T, Exec> writer(columns_, schedule_, step, slot, tasks);
    describe(step, writer);
    tasks.then([this, k = step.k] { report(k); });
    writer.finish();
    return tasks;
  }

  /// On a rank that does not own a block column, a step may end before the one before it. What the callback throws
  /// waits for the end, so that each rank whose callback throws has its own exception.
  void report(TileRange k) {
    if (!progress_ || callback_exception_ || !(reported_ < k.end)) return;
    reported_ = k.end;
    callback_exception_ = exception_of([&] { progress_(columns_.columns().begin(k.end).value, columns_.columns().n); });
  }

  BlockColumns<T, Exec>& columns_;
  const Schedule& schedule_;
  const Progress& progress_;
  std::exception_ptr& callback_exception_;
  GlobalTile reported_{0};
};

template <class T, class Exec>
Factored<T, typename Exec::memory_space> try_factorize(const Exec& exec,
                                                       ShardedMatrix<T, typename Exec::memory_space>&& a,
                                                       const FactorizeOptions& options,
                                                       Memory<typename Exec::memory_space>& memory,
                                                       const Schedule& schedule, std::int64_t beside) {
  return Factorization<T, Exec>::run(exec, std::move(a), options, memory, schedule, beside);
}

#define TESSERA_INSTANTIATE_FACTORIZE(T, Exec)                                               \
  template Factored<T, typename Exec::memory_space> try_factorize<T, Exec>(                  \
      const Exec&, ShardedMatrix<T, typename Exec::memory_space>&&, const FactorizeOptions&, \
      Memory<typename Exec::memory_space>&, const Schedule&, std::int64_t);                  \
  template bool takes_one_launch<T, Exec>(const Exec&, const Communicator&);
#define TESSERA_INSTANTIATE_FACTORIZES(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_FACTORIZE, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_FACTORIZES)

}  // namespace tessera::detail

#include "core/factorize/block_columns.hpp"
#include "core/factorize/leaf_inverses.hpp"
#include "core/factorize/log_determinant.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/cholesky_factor.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace tessera::detail {

/// A = L L^H, left-looking.
template <class T, class Exec>
class Factorization {
 public:
  using MemorySpace = typename Exec::memory_space;
  using Columns = BlockColumns<T, Exec>;
  using Step = typename Columns::Step;

  static Factored<T, MemorySpace> run(const Exec& exec, ShardedMatrix<T, MemorySpace>&& a, const Progress& progress,
                                      Memory<MemorySpace>& memory, const Schedule& schedule) {
    const Region region("tessera::factorize");
    const ProcessGrid grid = a.grid();
    const SlabLayout layout = a.layout();
    Factored<T, MemorySpace> result{CholeskyFactor<T, MemorySpace>(std::move(a))};
    CholeskyFactor<T, MemorySpace>& factor = result.factor;
    std::optional<FactorizeBuffers<T, Exec>> buffers;
    std::optional<Columns> columns;
    collectively(grid.communicator(), [&] {
      const std::int64_t bytes = Leaves<MemorySpace>(layout).template inverses_size<T>() * std::int64_t{sizeof(T)};
      factor.inverses_ = Memory<MemorySpace>::reserve(memory.inverses, "tessera::CholeskyFactor::inverses", bytes);
      buffers = take<FactorizeBuffers<T, Exec>>(memory, layout, schedule);
      columns.emplace(exec, factor.l_, *buffers, memory, schedule, result.seconds);
    });
    Factorization(*columns, progress).run(Steps<MemorySpace>(layout).all(), grid.communicator());
    result.leading_minor = columns->leading_minor();
    if constexpr (Leaves<MemorySpace>::has_inverses) {
      const Timed timed(result.seconds.panel, "tessera::factorize::invert");
      collectively(grid.communicator(), [&] { invert_leaves(exec, factor.l_, factor.inverses()); });
    }
    factor.log_determinant_ = log_determinant(exec, factor.l_, buffers->diagonal_values);
    return result;
  }

 private:
  Factorization(Columns& columns, const Progress& progress) : columns_(columns), progress_(progress) {}

  void run(const std::vector<TileRange>& steps, const Communicator& communicator) {
    columns_.run(steps, [this](const Step& step, Program& program) {
      const TileRange newest = columns_.newest(step);
      columns_.subtract_ahead(program, step, {GlobalTile{0}, newest.begin});  // A(k:,k) -= L(k:,0:k) L(k,0:k)^H, in
      columns_.subtract(program, step, step.k, newest);                       // two parts,
      columns_.sum(program, step);                                            // on all process columns
      factor(program, step, step.k);  // A(k:,k) = L(k:,k), by the two lines below
      program.then([this, k = step.k] { report(k); });
    });
    callback_failure_.settle(communicator);
  }

  /// A step of several tiles is the same again, on its own columns.
  void factor(Program& program, const Step& step, TileRange k) {
    if (k.size() == 1) {
      const auto diagonal = columns_.factor_diagonal(program, step, k.begin);  // A(k,k) = L(k,k) L(k,k)^H
      columns_.divide_below(program, step, k.begin, diagonal);                 // A(i,k) = A(i,k) L(k,k)^-H, i > k
      return;
    }
    const GlobalTile middle = k.begin + k.size() / 2;
    factor(program, step, {k.begin, middle});
    columns_.subtract(program, step, {middle, k.end}, {k.begin, middle});
    factor(program, step, {middle, k.end});
  }

  /// On a rank that does not own a block column, a step may end before the one before it. Others wait for this rank's
  /// messages, whatever the callback throws.
  void report(TileRange k) {
    if (!progress_ || !(reported_ < k.end)) return;
    reported_ = k.end;
    callback_failure_.run([&] { progress_(columns_.columns_before(k.end), columns_.n()); });
  }

  Columns& columns_;
  const Progress& progress_;
  GlobalTile reported_{0};
  DeferredException callback_failure_;
};

template <class T, class Exec>
Factored<T, typename Exec::memory_space> try_factorize(const Exec& exec,
                                                       ShardedMatrix<T, typename Exec::memory_space>&& a,
                                                       const Progress& progress,
                                                       Memory<typename Exec::memory_space>& memory,
                                                       const Schedule& schedule) {
  return Factorization<T, Exec>::run(exec, std::move(a), progress, memory, schedule);
}

#define TESSERA_INSTANTIATE_FACTORIZE(T, Exec)                                       \
  template Factored<T, typename Exec::memory_space> try_factorize<T, Exec>(          \
      const Exec&, ShardedMatrix<T, typename Exec::memory_space>&&, const Progress&, \
      Memory<typename Exec::memory_space>&, const Schedule&);
#define TESSERA_INSTANTIATE_FACTORIZES(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_FACTORIZE, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_FACTORIZES)

}  // namespace tessera::detail

#include "core/block_columns.hpp"
#include "core/log_determinant.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/cholesky_factor.hpp"

#include <exception>
#include <optional>

namespace tessera::detail {

/// A = L L^H, left-looking.
template <class T, class Exec>
class Factorization {
 public:
  using MemorySpace = typename Exec::memory_space;

  static Factored<T, MemorySpace> run(const Exec& exec, ShardedMatrix<T, MemorySpace>&& a, const Progress& progress) {
    const Region region("tessera::factorize");
    const ProcessGrid grid = a.grid();
    std::optional<CholeskyFactor<T, MemorySpace>> factor;
    std::optional<BlockColumns<T, Exec>> columns;
    collectively(grid.communicator(), [&] {
      factor.emplace(CholeskyFactor<T, MemorySpace>(std::move(a)));
      columns.emplace(exec, factor->l_);
    });
    Factorization(*columns, progress).run();
    factor->inverses_ = columns->inverses();
    const std::int64_t leading_minor = columns->leading_minor();
    factor->log_determinant_ = log_determinant(exec, factor->l_);
    return {std::move(*factor), leading_minor};
  }

 private:
  Factorization(BlockColumns<T, Exec>& columns, const Progress& progress) : columns_(columns), progress_(progress) {}

  void run() {
    for (const TileRange k : columns_.steps()) {
      columns_.subtract(k, {GlobalTile{0}, k.begin});  // A(k:,k) -= L(k:,0:k) L(k,0:k)^H
      factor(k);                                       // A(k:,k) = L(k:,k), by the two lines below
      report(k);
    }
    settle(columns_.communicator(), callback_failure_);
  }

  /// A step of several tiles is the same again, on its own columns.
  void factor(TileRange k) {
    if (k.size() == 1) {
      columns_.factor_diagonal(k.begin);  // A(k,k) = L(k,k) L(k,k)^H
      columns_.divide_below(k.begin);     // A(i,k) = A(i,k) L(k,k)^-H, i > k
      return;
    }
    const GlobalTile middle = k.begin + k.size() / 2;
    factor({k.begin, middle});
    columns_.subtract({middle, k.end}, {k.begin, middle});
    factor({middle, k.end});
  }

  /// An exception from the callback is kept, as others wait for this rank's messages.
  void report(TileRange k) {
    if (!progress_ || callback_failure_) return;
    try {
      progress_(columns_.columns_before(k.end), columns_.n());
    } catch (...) {
      callback_failure_ = std::current_exception();
    }
  }

  BlockColumns<T, Exec>& columns_;
  const Progress& progress_;
  std::exception_ptr callback_failure_;
};

template <class T, class Exec>
Factored<T, typename Exec::memory_space> try_factorize(const Exec& exec,
                                                       ShardedMatrix<T, typename Exec::memory_space>&& a,
                                                       const Progress& progress) {
  return Factorization<T, Exec>::run(exec, std::move(a), progress);
}

#define TESSERA_INSTANTIATE_FACTORIZE(T, Exec)                              \
  template Factored<T, typename Exec::memory_space> try_factorize<T, Exec>( \
      const Exec&, ShardedMatrix<T, typename Exec::memory_space>&&, const Progress&);
#define TESSERA_INSTANTIATE_FACTORIZES(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_FACTORIZE, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_FACTORIZES)

}  // namespace tessera::detail

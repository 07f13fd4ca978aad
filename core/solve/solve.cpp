// SPDX-License-Identifier: BSD-3-Clause
#include "core/solve/buffers.hpp"
#include "core/solve/one_device.hpp"
#include "core/solve/sweep.hpp"
#include "core/solve/sweeps.hpp"
#include "core/timed.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/cholesky_factor.hpp"

#include <functional>
#include <optional>
#include <vector>

namespace tessera::detail {

template <class T, class Exec>
void apply(const Exec& exec, FactorOperation operation, const CholeskyFactor<T, typename Exec::memory_space>& factor,
           T* b, std::int64_t nrhs, Memory<typename Exec::memory_space>& memory, const std::function<void()>& deliver,
           const Schedule& schedule, const RowShards& shards) {
  if (nrhs == 0) return;
  const Region region("tessera::solve");
  const SlabLayout& layout = factor.matrix().layout();
  const ProcessGrid& grid = factor.grid();
  std::optional<Sweeps<T, Exec>> sweeps;
  const auto run = [&] {
    const RowShards all_here;  // where one rank has all of b, in order
    const RowShards& dealt_out = grid.size() > 1 || !shards.in_order() ? shards : all_here;
    std::optional<std::int64_t> held;
    if (dealt_out.by_rows()) held = dealt_out.rows(grid.rank());
    const std::vector<Sweep> order = sweeps_of(operation, grid, layout);
    if constexpr (!kernels::is_host<Exec>) {
      using OneDevice = SolveOnOneDevice<T, Exec>;
      if (!held && order.front().solves() && OneDevice::suits(layout, nrhs)) {
        return buffers_in<OneDevice>(memory, layout, nrhs).run(exec, order, factor, b, nrhs);
      }
    }
    const auto buffers = buffers_in<SolveBuffers<T, Exec>>(memory, layout, nrhs, schedule, held);
    sweeps.emplace(exec, order, factor, b, nrhs, dealt_out, buffers, memory).run();
  };
  collectively(grid.communicator(), run);
  collectively(grid.communicator(), deliver);  // where that has failed on some rank, no rank's b changes
}

#define TESSERA_INSTANTIATE_APPLY(T, Exec)                                                                           \
  template void apply<T, Exec>(const Exec&, FactorOperation, const CholeskyFactor<T, typename Exec::memory_space>&,  \
                               T*, std::int64_t, Memory<typename Exec::memory_space>&, const std::function<void()>&, \
                               const Schedule&, const RowShards&);
#define TESSERA_INSTANTIATE_APPLIES(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_APPLY, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_APPLIES)

}  // namespace tessera::detail

// SPDX-License-Identifier: BSD-3-Clause
#include "core/solve/buffers.hpp"
#include "core/solve/one_device.hpp"
#include "core/solve/sweep.hpp"
#include "core/solve/sweeps.hpp"
#include "core/timed.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/cholesky_factor.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace tessera::detail {

template <class T, class MemorySpace>
MatrixView<T, MemorySpace> right_hand_sides(Memory<MemorySpace>& memory, std::int64_t rows, std::int64_t nrhs) {
  const std::int64_t bytes = right_hand_sides_bytes<T>(rows, nrhs);
  char* const data = Memory<MemorySpace>::reserve(memory.right_hand_sides, "tessera::solve::b", bytes).data();
  return right_hand_sides_at<MemorySpace>(reinterpret_cast<T*>(data), rows, nrhs);
}

template <class T, class Exec>
void apply(const Exec& exec, FactorOperation operation, const CholeskyFactor<T, typename Exec::memory_space>& factor,
           const MatrixView<T, typename Exec::memory_space>& b, Memory<typename Exec::memory_space>& memory,
           const std::function<void()>& deliver, const Schedule& schedule, const RowShards& shards) {
  const auto nrhs = static_cast<std::int64_t>(b.extent(1));
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
        return buffers_in<OneDevice>(memory, layout, nrhs).run(exec, order, factor, b);
      }
    }
    const auto buffers = buffers_in<SolveBuffers<T, Exec>>(memory, layout, nrhs, schedule, held);
    sweeps.emplace(exec, order, factor, b, dealt_out, buffers, memory).run();
  };
  collectively(grid.communicator(), run);
  collectively(grid.communicator(), deliver);  // where that has failed on some rank, no rank's b changes
}

#define TESSERA_INSTANTIATE_APPLY(T, Exec)                                                                          \
  template void apply<T, Exec>(const Exec&, FactorOperation, const CholeskyFactor<T, typename Exec::memory_space>&, \
                               const MatrixView<T, typename Exec::memory_space>&,                                   \
                               Memory<typename Exec::memory_space>&, const std::function<void()>&, const Schedule&, \
                               const RowShards&);
#define TESSERA_INSTANTIATE_APPLIES(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_APPLY, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_APPLIES)

#define TESSERA_INSTANTIATE_B(T, MemorySpace)                                                              \
  template MatrixView<T, MemorySpace> right_hand_sides<T, MemorySpace>(Memory<MemorySpace>&, std::int64_t, \
                                                                       std::int64_t);
#define TESSERA_INSTANTIATE_BS(MemorySpace) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_B, MemorySpace)
TESSERA_FOR_EACH_MEMORY_SPACE(TESSERA_INSTANTIATE_BS)

}  // namespace tessera::detail

#pragma once

#include "core/exchange/task_list.hpp"
#include "core/exchange/transfers.hpp"
#include "core/timed.hpp"
#include "kernels/elementwise.hpp"
#include "tessera/matrix_view.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

namespace tessera::detail {

/// A sum on its way along a ring, as one of its ranks has it.
template <class T, class Exec>
struct PassedSum {
  MatrixView<T, typename Exec::memory_space> mine;  ///< this rank's share
  int previous;                                     ///< the rank from which the sum comes, or -1
  int next;                                         ///< the rank to which it goes, or -1: it ends in `mine`
  Tag tag;
  std::int64_t chunk_rows;  ///< of one message
  T* chunks[2];             ///< room for so many rows, by turns; where the sum is all in one chunk, the first alone
};

/// Appends: what arrives and `mine`, added in this order, to the next rank, chunk by chunk. Messages sent go into
/// `sent`, the seconds that it takes into `seconds`.
template <class T, class Exec>
void pass_on(Program& program, Transfers<Exec>& transfers, const Exec& exec, const PassedSum<T, Exec>& sum,
             std::vector<typename Transfers<Exec>::Message>& sent, double& seconds) {
  using View = MatrixView<T, typename Exec::memory_space>;
  using Message = typename Transfers<Exec>::Message;
  struct Moving {
    Message received[2] = {};
    Message sent[2] = {};
  };
  const auto moving = std::make_shared<Moving>();
  const auto rows = static_cast<std::int64_t>(sum.mine.extent(0));
  const auto width = static_cast<std::int64_t>(sum.mine.extent(1));
  const std::int64_t chunks = (rows + sum.chunk_rows - 1) / sum.chunk_rows;
  const bool whole = chunks == 1 && sum.previous < 0;  // no copy
  const auto share = [sum, rows, width](std::int64_t c) {
    const std::int64_t begin = c * sum.chunk_rows;
    return block(sum.mine, begin, std::min(rows, begin + sum.chunk_rows), 0, width);
  };
  const auto buffer = [sum, share, width, whole](std::int64_t c) {
    const auto height = static_cast<std::int64_t>(share(c).extent(0));
    T* const data = whole ? sum.mine.data() : sum.chunks[c % 2];
    return make_matrix_view<typename Exec::memory_space>(data, height, width, height);
  };
  const auto receive = [&transfers, exec, moving, buffer, sum](std::int64_t c) {
    if (sum.previous < 0) return;
    const View to = buffer(c);
    moving->received[c % 2] =
        transfers.receive(exec, to.data(), static_cast<std::int64_t>(to.size()), sum.previous, sum.tag);
  };
  for (std::int64_t c = 0; c < std::min<std::int64_t>(2, chunks); ++c) receive(c);
  for (std::int64_t c = 0; c < chunks; ++c) {
    if (c > 1) {
      program.when([&transfers, moving, c] { return transfers.done(moving->sent[c % 2]); },
                   [receive, c] { receive(c); });
    }
    program.when([&transfers, moving, c] { return transfers.done(moving->received[c % 2]); },
                 [&transfers, &sent, &seconds, exec, sum, moving, share, buffer, whole, c] {
                   const Timed timed(seconds, "tessera::factorize::exchange");
                   const View chunk = buffer(c);
                   if (sum.next < 0) {
                     kernels::add<T>(exec, chunk, share(c));
                     return;
                   }
                   if (sum.previous >= 0) {
                     kernels::add<T>(exec, share(c), chunk);
                   } else if (!whole) {
                     kernels::copy<T>(exec, share(c), chunk);
                   }
                   const auto count = static_cast<std::int64_t>(chunk.size());
                   moving->sent[c % 2] =
                       transfers.send(exec, static_cast<const T*>(chunk.data()), count, sum.next, sum.tag);
                   sent.push_back(moving->sent[c % 2]);
                 });
  }
}

}  // namespace tessera::detail

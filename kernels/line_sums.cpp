// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/line_sums.hpp"

#include "kernels/backend.hpp"
#include "kernels/instantiate.hpp"

namespace tessera::kernels {
namespace {

template <class T>
KOKKOS_FUNCTION Wide<T> element(const Lines<T>& lines, const Wide<T>* subtract, std::int64_t line, std::int64_t s) {
  const Wide<T> value(lines.data[line * lines.line_stride + s * lines.stride]);
  return subtract == nullptr ? value : value - subtract[s];
}

/// Kahan's sum (Pracniques: further remarks on reducing truncation errors, Comm. ACM 8 (1965)).
template <class W>
struct KahanSum {
  W sum = W(0);
  W lost = W(0);

  KOKKOS_FUNCTION void add(const W& x) {
    const W more = x - lost;
    const W next = sum + more;
    lost = (next - sum) - more;
    sum = next;
  }
};

/// Some lines side by side, in the order in which they lie in a cache.
template <class T>
struct SumGroup {
  static constexpr std::int64_t width = 64;

  Lines<T> lines;
  const Wide<T>* subtract;
  Wide<T>* sums;

  KOKKOS_FUNCTION void operator()(std::int64_t group) const {
    const std::int64_t begin = group * width;
    const std::int64_t count = begin + width < lines.count ? width : lines.count - begin;
    KahanSum<Wide<T>> sum[width];
    if (lines.stride <= lines.line_stride) {
      for (std::int64_t l = 0; l < count; ++l) {
        for (std::int64_t s = 0; s < lines.length; ++s) sum[l].add(element(lines, subtract, begin + l, s));
      }
    } else {
      for (std::int64_t s = 0; s < lines.length; ++s) {
        for (std::int64_t l = 0; l < count; ++l) sum[l].add(element(lines, subtract, begin + l, s));
      }
    }
    for (std::int64_t l = 0; l < count; ++l) sums[begin + l] = sum[l].sum;
  }
};

/// A thread has a line, and the threads beside it the numbers beside.
template <class T>
struct SumOfThread {
  Lines<T> lines;
  const Wide<T>* subtract;
  Wide<T>* sums;

  KOKKOS_FUNCTION void operator()(std::int64_t line) const {
    KahanSum<Wide<T>> sum;
    for (std::int64_t s = 0; s < lines.length; ++s) sum.add(element(lines, subtract, line, s));
    sums[line] = sum.sum;
  }
};

/// A team has a line, whose numbers lie side by side.
template <class T, class Exec>
struct SumOfTeam {
  Lines<T> lines;
  const Wide<T>* subtract;
  Wide<T>* sums;

  KOKKOS_FUNCTION void operator()(const typename Kokkos::TeamPolicy<Exec>::member_type& team) const {
    const std::int64_t line = team.league_rank();
    Wide<T> sum(0);
    Kokkos::parallel_reduce(
        Kokkos::TeamThreadRange(team, team.team_size()),
        [&](std::int64_t thread, Wide<T>& partial) {
          KahanSum<Wide<T>> part;
          for (std::int64_t s = thread; s < lines.length; s += team.team_size()) {
            part.add(element(lines, subtract, line, s));
          }
          partial += part.sum;
        },
        sum);
    Kokkos::single(Kokkos::PerTeam(team), [&] { sums[line] = sum; });
  }
};

}  // namespace

template <class T, class Exec>
void line_sums(const char* label, const Exec& exec, const Lines<T>& lines, const Wide<T>* subtract, Wide<T>* sums) {
  using Range = Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>;
  if (lines.count == 0) return;
  if constexpr (is_host<Exec>) {
    using Group = SumGroup<T>;
    Kokkos::parallel_for(label, Range(exec, 0, (lines.count + Group::width - 1) / Group::width),
                         Group{lines, subtract, sums});
  } else if (lines.stride <= lines.line_stride) {
    Kokkos::parallel_for(label, Kokkos::TeamPolicy<Exec>(exec, static_cast<int>(lines.count), 256),
                         SumOfTeam<T, Exec>{lines, subtract, sums});
  } else {
    Kokkos::parallel_for(label, Range(exec, 0, lines.count), SumOfThread<T>{lines, subtract, sums});
  }
}

#define TESSERA_INSTANTIATE_LINE_SUMS(T, Exec) \
  template void line_sums<T, Exec>(const char*, const Exec&, const Lines<T>&, const Wide<T>*, Wide<T>*);
#define TESSERA_INSTANTIATE_ALL_LINE_SUMS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_LINE_SUMS, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_ALL_LINE_SUMS)

}  // namespace tessera::kernels

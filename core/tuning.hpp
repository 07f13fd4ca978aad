// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/backend.hpp"
#include "tessera/process_grid.hpp"
#include "tessera/scalar.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

// What was measured to be fast, per kind of memory, in one place.
namespace tessera::detail {

template <class MemorySpace>
class Tuning {
  static constexpr bool host = kernels::is_host<typename MemorySpace::execution_space>;

 public:
  /// The largest tile that default_tile_size picks. On the host a tile is factored by one rank while others wait, and
  /// few are hard to share out; but between process columns a block column is one tile wide, and narrow ones cost
  /// messages and time in gemm. Between devices narrow ones cost messages, and wide ones lookahead.
  static constexpr std::int64_t tile_cap(std::int64_t n, GridShape grid) {
    if (!host) return grid.rows * grid.cols > 1 ? 512 : 128;
    if (grid.cols > 1) return 256;
    return grid.rows > 1 && n < 1024 ? 96 : 128;
  }

  /// Columns that are updated in one call where one process column owns them all; narrower calls lose their time to
  /// packing.
  static constexpr std::int64_t update_width = host ? 512 : 1024;

  /// The same of an update by integers: a device multiplies bytes as fast in narrow ones, and the panel has less to do.
  /// On the host, where they are not fast, they are to be seen at work in a small matrix.
  static constexpr std::int64_t integer_update_width = host ? 32 : 512;

  /// From so many rows on, the lower half of them is updated beside the upper one: where a call has too few tiles left
  /// for all multiprocessors, one of the other half has some. With fewer the panels are what takes the time.
  static constexpr std::int64_t rows_in_halves = 16384;

  /// Rows whose products of residues are in memory at a time, 4 bytes for each modulus.
  static constexpr std::int64_t band_rows = host ? 128 : 8192;

  /// Whether a factorisation by integers is faster than a native one: what it costs beside the products pays from so
  /// many rows on (measured on an H200), later for double, whose native products are fastest for their digits. Several
  /// ranks share products, but wait for each panel (measured in double on two and four H200).
  template <class T>
  static constexpr bool gains_by_integers(std::int64_t n, int ranks) {
    constexpr std::int64_t alone = std::is_same_v<T, double> ? 10240 : 6144;
    return !host && n >= std::max(alone, alone / 5 * 4 * ranks);
  }

  /// Where residues are not kept but made anew for some steps together: the columns of these, and other rows at a time.
  static constexpr std::int64_t integer_width = host ? 64 : 4096;
  static constexpr std::int64_t rows_together = host ? 64 : 4096;

  /// Fewer columns that keep residues lose to that, by what conversions and native products cost on an H100.
  static constexpr std::int64_t fewest_kept_columns(std::int64_t n) { return n >= 8 * integer_width ? n / 8 * 3 : 0; }

  /// The fewest columns by integers with which such a factorisation is the fastest: an eighth of the products and more,
  /// while a remainder of each number is to be subtracted nevertheless.
  static constexpr std::int64_t fewest_integer_columns(std::int64_t n) { return n / 16; }

  /// Of a device's memory, what its libraries leave.
  static constexpr std::int64_t usable(std::int64_t bytes) { return bytes / 16 * 15; }

  /// Up to so many rows a device alone factors a matrix in one launch (measured on an H200). Beyond, the chain of
  /// panels is not what takes the time, and gemm is faster.
  template <class T>
  static constexpr std::int64_t one_launch_rows = host                        ? 0
                                                  : std::is_same_v<T, double> ? 14336
                                                                              : 10240;

  /// Up to so many rows one device alone, which gets the whole matrix, solves a system faster than several (measured on
  /// two H200 in double: 2.0 ms instead of 5.4 at 4096 rows, as much at 12288). Complex scalars have more to share.
  template <class T>
  static constexpr std::int64_t rows_for_one_device = std::min<std::int64_t>(one_launch_rows<T>,
                                                                             sizeof(T) > sizeof(RealOf<T>) ? 6144
                                                                                                           : 12288);

  /// Real multiplications and additions in one call on a rank that has others to talk to: about 10 ms on a core, as
  /// messages only make progress in between. A device works beside its host.
  static constexpr double call_flops = host ? 5e8 : 1e18;

  /// Slab columns, from this rank's own: wide enough for a long K in gemm, narrow enough to cost little above one half.
  /// On a device as many as some whole updates have.
  static constexpr std::int64_t slab(std::int64_t local_columns) {
    constexpr std::int64_t unit = host ? 1 : update_width;
    const std::int64_t columns = local_columns / (host ? 16 : 12);
    return std::clamp<std::int64_t>((columns + unit / 2) / unit * unit, update_width, 8192);
  }

  /// Columns of an inverse that are solved for together, unless a leaf has more. A rank alone, whose BLAS has all the
  /// threads, wants more work in a call, and has no others that wait for its first columns.
  static constexpr std::int64_t inverse_columns(int ranks) {
    if (!host) return 1024;
    return ranks == 1 ? 512 : 256;
  }

  /// Of these the most whose parts of L^-1 begin at the same row.
  static constexpr std::int64_t inverse_block = host ? 64 : 256;

  /// Parameters, or samples, of a Jacobian that are multiplied together: a long K for gemm, in strips that are a small
  /// part of the matrix.
  static constexpr std::int64_t gram_depth(std::int64_t n) {
    return host ? std::clamp<std::int64_t>(n / 8, 256, 512) : std::clamp<std::int64_t>(n / 8, 1024, 4096);
  }

  /// The same where they are multiplied as integers, whose products are short of work the sooner.
  static constexpr std::int64_t integer_gram_depth(std::int64_t n) {
    return host ? gram_depth(n) : std::clamp<std::int64_t>(n, 2048, 16384);
  }

  /// The most bytes of sums of integers that a Gram matrix's assembly keeps from one chunk of these to the next. On the
  /// host a small matrix has more, so that both ways are to be seen.
  static constexpr std::int64_t kept_products_bytes = std::int64_t{1} << (host ? 19 : 34);

  /// Whether a Gram matrix by integers is faster than a native one, what it costs beside the products included: from
  /// the rates of a factorisation's parts on an H100.
  template <class T>
  static constexpr bool gram_gains_by_integers(std::int64_t n, std::int64_t terms) {
    constexpr bool is_double = std::is_same_v<T, double>;
    return !host && n >= (is_double ? 6144 : 4096) && terms >= (is_double ? 8192 : 4096);
  }

  /// Bytes of one buffer of redistribute; there are a few. On a device they find room in the messages of a large
  /// factorisation by integers.
  static constexpr std::int64_t chunk_bytes = std::int64_t{1} << (host ? 24 : 27);

  /// The fewest right-hand sides that are worth a chunk of their own: the host's gemm is hardly slower for so few.
  static constexpr std::int64_t least_chunk = host ? 64 : std::int64_t{1} << 31;

  /// The most bytes of one message. What is staged is copied on one side while the packet before is on its way.
  static constexpr std::int64_t message_bytes = std::int64_t{1} << (host ? 30 : 25);

  /// Leading dimensions are multiples of this many bytes.
  static constexpr std::int64_t row_alignment = 64;
};

/// Rows of a product in one call, where each takes so many multiplications and additions.
template <class T, class MemorySpace>
std::int64_t rows_of_a_call(int ranks, std::int64_t products_of_a_row) {
  constexpr double most = std::numeric_limits<std::int32_t>::max();
  if (ranks == 1) return static_cast<std::int64_t>(most);
  const double flops =
      (sizeof(T) > sizeof(RealOf<T>) ? 8. : 2.) * static_cast<double>(std::max<std::int64_t>(1, products_of_a_row));
  return static_cast<std::int64_t>(std::clamp(Tuning<MemorySpace>::call_flops / flops, 256., most));
}

}  // namespace tessera::detail

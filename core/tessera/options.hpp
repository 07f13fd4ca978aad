// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/process_grid.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

namespace tessera {
/// @addtogroup one_call
/// @{

/// What a call does if A is not positive definite.
enum class Failure {
  raise,    ///< throw NotPositiveDefinite, on every rank
  fill_nan  ///< fill x with NaNs; CholeskyInfo::leading_minor says where the factorisation failed
};

/// Which triangle of A is read, as LAPACK's `uplo`.
enum class Triangle {
  lower,  ///< A(i, j) with i >= j
  upper   ///< A(i, j) with i <= j
};

/// What the products are made of by which a factorisation subtracts the columns of L that it has.
enum class Arithmetic {
  native,  ///< the scalar's own
  /// Exact products of integers, by their residues modulo small numbers, which fit a byte (Ozaki scheme II: Ozaki,
  /// Uchino, Imamura, arXiv 2504.08009): row i of L is scaled by a power of two for A(i, i) and rounded, once. The
  /// error |A - L L^H|(i, j) / sqrt(A(i, i) A(j, j)) is about that of `native`, whatever the condition of A and the
  /// scaling of its rows. Panels, and the products of the newest block column, stay native.
  integer,
  /// `integer` where this kind of device gains by it for the scalar, n and the number of ranks, and memory suffices for
  /// so many columns (CholeskyOptions::bytes_free) that it is worth it; `native` elsewhere, and on hosts.
  fastest
};

/// Called during a factorisation as progress(done, all): the columns that are factored, and n. Where one device has all
/// of a small matrix, once.
using Progress = std::function<void(std::int64_t done, std::int64_t all)>;

/// Larger shifts to try if A + diag_shift I is not positive definite: try t = 2, 3, ... has the shift
/// diag_shift + first * factor^(t - 2). Each try reads A again, or assembles it again, from the caller's argument;
/// one whose shift is the same as before when rounded to the scalar of A fails as before without that.
struct ShiftLadder {
  int tries = 1;       ///< in all, the one with diag_shift included; at least 1
  double first = 0;    ///< must be positive if tries > 1
  double factor = 10;  ///< must be more than 1 if tries > 1
};

/// Options of cholesky_distributed. All ranks pass the same, but for `progress`.
struct CholeskyOptions {
  /// Rows and columns of a tile, cut to n; 0: default_tile_size, with the cap that is fastest for the memory space and
  /// the grid; or n for a few right-hand sides and some thousand rows on devices, of which one alone is faster then. A
  /// diagonal tile is factored in one piece, so that a wider tile can be slower.
  std::int64_t local_tile_size = 0;
  std::optional<GridShape> grid = std::nullopt;    ///< rows * cols = ranks; unset: nearly_square
  double diag_shift = 0;                           ///< added to the diagonal of A; finite
  Failure on_failure = Failure::raise;             ///< what happens if no try succeeds
  Triangle triangle = Triangle::lower;             ///< which triangle of A is read; a Gram ignores it
  ShiftLadder shifts = {};                         ///< larger shifts to try
  MpiBuffers mpi_buffers = MpiBuffers::automatic;  ///< how messages in device memory reach MPI
  Arithmetic arithmetic = Arithmetic::native;      ///< what products of the factorisation, and of a Gram, are made of
  /// Moduli of Arithmetic::integer, from 4 to 15; 0: as many as keep native accuracy for the scalar and n. In double 13
  /// round L to about 2^-50 of its rows' norms, and each one more to 2^-4 of that.
  int moduli = 0;
  /// Memory of each rank for the call, as MemoryPlanOptions::bytes_free. Where it is too little for all residues, only
  /// the first columns are multiplied by integers, as many as fit (CholeskyInfo::integer_columns), and the others
  /// natively; or, where one rank has all of a large matrix and few would fit, residues are made again and again.
  /// A Gram is then assembled natively by `fastest`, and by `integer` all the same.
  /// Unset: on a device what most of its memory leaves beside the arguments, shared alike by the ranks on it; on hosts
  /// as much as is wanted.
  std::optional<std::int64_t> bytes_free = std::nullopt;
  /// As in factorize: it may be set on some ranks only, and what it throws is thrown on every rank in the end. Each try
  /// of `shifts` that factors a matrix reports from its beginning, so that `done` starts anew.
  Progress progress = {};
};

/// Wall-clock seconds of this rank: in the three phases of a call, and in the four kinds of work of a factorisation,
/// whose sum is about `factorize`. On a device, `update` and `panel` are the time to enqueue the kernels, and `waiting`
/// includes waiting for the device.
struct PhaseSeconds {
  double redistribute = 0;  ///< taking A in, or assembling a Gram
  double factorize = 0;     ///< A = L L^H
  double solve = 0;         ///< both substitutions, and writing x
  double update = 0;        ///< A(k:,k) -= L(k:,0:k) L(k,0:k)^H
  double panel = 0;         ///< A(k:,k) to L(k:,k)
  double exchange = 0;      ///< packing, adding and starting messages
  double waiting = 0;       ///< for messages, with nothing else to do
};

/// One factorisation of A + diag_shift I.
struct ShiftTry {
  double diag_shift = 0;  ///< the shift of this try
  std::int64_t leading_minor =
      0;  ///< 0 if it succeeded, else the order of the first leading minor that is not positive definite
};

/// What a call did; all but the seconds is the same on every rank.
struct CholeskyInfo {
  std::int64_t leading_minor = 0;              ///< ShiftTry::leading_minor of the last try
  std::int64_t tile_size = 0;                  ///< rows and columns of a tile
  GridShape grid = {};                         ///< the process grid
  double diag_shift = 0;                       ///< the shift of the last try
  PhaseSeconds seconds = {};                   ///< of all tries together
  std::vector<ShiftTry> tries = {};            ///< in order
  Arithmetic arithmetic = Arithmetic::native;  ///< `native` or `integer`: what the last try used
  int moduli = 0;                              ///< of `integer`
  std::int64_t integer_columns = 0;            ///< of `integer`: the first columns, of which it made all long products
  /// Of the integer products that assembled a Gram, in the last try; 0: they were native, as rows that are not finite
  /// make them (GramOptions::arithmetic), or there was no Gram.
  int gram_moduli = 0;
  /// log det(A + diag_shift I), with the shift of the last try; NaN if that failed
  double log_determinant = std::numeric_limits<double>::quiet_NaN();
};

/// min(n, clamp(n / ranks, 64, max(64, cap))), as NetKet's cholesky_distributed has it.
/// @throws std::invalid_argument unless n >= 0 and ranks >= 1
std::int64_t default_tile_size(std::int64_t n, int ranks, std::int64_t cap);

/// @}
}  // namespace tessera

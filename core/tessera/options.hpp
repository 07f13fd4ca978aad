#pragma once

#include <tessera/process_grid.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace tessera {

/// What a call does when A is not positive definite.
enum class Failure {
  raise,    ///< throw NotPositiveDefinite, on every rank
  fill_nan  ///< return an x of NaNs; CholeskyInfo::leading_minor says where it failed
};

/// Which half of `a` is read.
enum class Triangle { lower, upper };

/// What is tried where A + diag_shift I turns out not to be positive definite: try t = 2, 3, ... has the shift
/// diag_shift + first factor^(t-2). A is taken in anew for each, from where it came; nothing is kept of it. By default
/// there is one try.
struct ShiftLadder {
  int tries = 1;       ///< in all; at least 1
  double first = 0;    ///< positive, where there is a second try
  double factor = 10;  ///< more than 1
};

/// Options of cholesky_distributed. All ranks pass the same.
struct CholeskyOptions {
  std::int64_t local_tile_size = 0;              ///< rows and columns of a tile; 0: default_tile_size
  std::optional<GridShape> grid = std::nullopt;  ///< rows * cols = ranks; unset: the most nearly square one
  double diag_shift = 0;                         ///< added to the diagonal as A is taken in; finite
  Failure on_failure = Failure::raise;
  Triangle triangle = Triangle::lower;
  ShiftLadder shifts = {};  ///< of a matrix that is not positive definite
  MpiBuffers mpi_buffers = MpiBuffers::automatic;
};

/// Wall-clock seconds of this rank in each phase, and in what it did while it factorised: `factorize` is about the sum
/// of the last four. On a device, update and panel are the seconds that it took to enqueue them, and waiting is for the
/// device as well.
struct PhaseSeconds {
  double redistribute = 0;
  double factorize = 0;
  double solve = 0;
  double update = 0;    ///< A(k:,k) -= L(k:,0:k) L(k,0:k)^H
  double panel = 0;     ///< L(k:,k) from A(k:,k)
  double exchange = 0;  ///< packing, adding and starting messages
  double waiting = 0;   ///< for messages, with nothing else to do
};

/// One factorisation of A + diag_shift I.
struct ShiftTry {
  double diag_shift = 0;
  std::int64_t leading_minor = 0;  ///< 0, or the order of the first leading minor that is not positive definite
};

/// What happened, the same on every rank but for the seconds.
struct CholeskyInfo {
  std::int64_t leading_minor = 0;  ///< of the last try
  std::int64_t tile_size = 0;
  GridShape grid = {};
  double diag_shift = 0;             ///< of the last try
  PhaseSeconds seconds = {};         ///< of all tries together
  std::vector<ShiftTry> tries = {};  ///< all of them, in order
};

/// NetKet's rule: min(n, clamp(n / ranks, 64, cap)), with a cap below 64 taken as 64.
std::int64_t default_tile_size(std::int64_t n, int ranks, std::int64_t cap);

}  // namespace tessera

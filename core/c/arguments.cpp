// SPDX-License-Identifier: BSD-3-Clause
#include "core/c/arguments.hpp"

#include "core/c/errors.hpp"

#include <new>
#include <stdexcept>

namespace tessera::c {

void require_size(const char* argument, std::size_t size, std::size_t most) {
  if (size >= sizeof(std::size_t) && size <= most) return;
  detail::throw_misuse(argument, "must be initialised with its size, of at most " + std::to_string(most) +
                                     " bytes in this version, got " + std::to_string(size));
}

std::optional<GridShape> grid_of(int rows, int cols) {
  if (rows == 0 && cols == 0) return std::nullopt;
  return GridShape{rows, cols};
}

CholeskyOptions options_of(const tessera_options& options) {
  Progress progress;
  if (options.progress != nullptr) {
    progress = [call = options.progress, context = options.progress_context](std::int64_t done, std::int64_t all) {
      call_back("progress", [&] { return call(context, done, all); });
    };
  }
  return {.local_tile_size = options.local_tile_size,
          .grid = grid_of(options.grid_rows, options.grid_cols),
          .diag_shift = options.diag_shift,
          .on_failure = static_cast<Failure>(options.on_failure),
          .triangle = static_cast<Triangle>(options.triangle),
          .shifts = {.tries = options.tries, .first = options.first_shift, .factor = options.shift_factor},
          .mpi_buffers = static_cast<MpiBuffers>(options.mpi_buffers),
          .arithmetic = static_cast<Arithmetic>(options.arithmetic),
          .moduli = options.moduli,
          .bytes_free = options.bytes_free == -1 ? std::nullopt : std::optional(options.bytes_free),
          .progress = std::move(progress)};
}

void require_scalar(const std::string& argument, int scalar) {
  if (scalar >= TESSERA_DOUBLE && scalar <= TESSERA_COMPLEX_FLOAT) return;
  detail::throw_misuse(argument, "must be a tessera_scalar, got " + std::to_string(scalar));
}

void require_space(int space) {
  if (space == TESSERA_DEFAULT_SPACE || space == TESSERA_HOST_SPACE) return;
  detail::throw_misuse("space", "must be a tessera_space, got " + std::to_string(space));
}

bool flag_of(const std::string& argument, int value) {
  if (value != 0 && value != 1) detail::throw_misuse(argument, "must be 0 or 1, got " + std::to_string(value));
  return value == 1;
}

void require_array(const char* argument, const tessera_array* array) {
  const auto refuse = [argument](const char* member, const std::string& must, std::int64_t got) {
    detail::throw_misuse(std::string(argument) + "." + member, must + ", got " + std::to_string(got));
  };
  if (array == nullptr) detail::throw_misuse(argument, "is null");
  if (array->rows < 0) refuse("rows", "must not be negative", array->rows);
  if (array->columns < 0) refuse("columns", "must not be negative", array->columns);
  require_scalar(std::string(argument) + ".scalar", array->scalar);
  if (array->memory == TESSERA_DEVICE_MEMORY && tessera_has_device() == 0) {
    detail::throw_misuse(std::string(argument) + ".memory", "is of a device, but this Tessera is for the host alone");
  }
  if (array->memory != TESSERA_HOST_MEMORY && array->memory != TESSERA_DEVICE_MEMORY) {
    refuse("memory", "must be a tessera_memory", array->memory);
  }
  flag_of(std::string(argument) + ".by_rows", array->by_rows);
  if (array->rows == 0 || array->columns == 0) return;
  if (array->data == nullptr) detail::throw_misuse(std::string(argument) + ".data", "is null");
  if (array->rows > 1 && array->row_stride < 1) refuse("row_stride", "must be positive", array->row_stride);
  if (array->columns > 1 && array->column_stride < 1) refuse("column_stride", "must be positive", array->column_stride);
  if (array->memory == TESSERA_DEVICE_MEMORY) Kokkos::fence();
}

void Matrix::require() const {
  if (!is_operator) return require_array("a", rows);
  if (on_request == nullptr) detail::throw_misuse("a", "is null");
  if (on_request->to_dense == nullptr) detail::throw_misuse("a.to_dense", "is null");
  require_scalar("a.scalar", on_request->scalar);
}

void call_to_dense(const tessera_operator& a, std::int64_t first_row, const tessera_array& rows) {
  call_back("to_dense", [&] { return a.to_dense(a.context, first_row, &rows); });
}

void require_info(const tessera_info* info) {
  if (info == nullptr) return;
  require_size("info.size", info->size, sizeof *info);
  if (info->size < offsetof(tessera_info, tile_size)) {
    detail::throw_misuse("info.size", "has no room for the leading minor: " + std::to_string(info->size));
  }
}

void write_info(const CholeskyInfo& info, tessera_info* to) {
  if (to == nullptr) return;
  const PhaseSeconds& s = info.seconds;
  const tessera_info all{to->size,
                         to->shifts,
                         info.leading_minor,
                         info.tile_size,
                         info.grid.rows,
                         info.grid.cols,
                         info.diag_shift,
                         info.log_determinant,
                         static_cast<int>(info.tries.size()),
                         static_cast<int>(info.arithmetic),
                         info.moduli,
                         0,
                         {s.redistribute, s.factorize, s.solve, s.update, s.panel, s.exchange, s.waiting},
                         info.integer_columns};
  std::copy_n(reinterpret_cast<const char*>(&all), to->size, reinterpret_cast<char*>(to));
  if (all.shifts == nullptr) return;
  std::transform(info.tries.begin(), info.tries.end(), all.shifts, [](const ShiftTry& attempt) {
    return tessera_shift_try{attempt.diag_shift, attempt.leading_minor};
  });
}

}  // namespace tessera::c

// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/finite.hpp"
#include "perf/hdf5_file.hpp"

#include <tessera/options.hpp>
#include <tessera/redistribute.hpp>

#include <Kokkos_Core.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace tessera::perf {

/// Throws unless z is finite, which it is called.
template <class T>
void require_finite(const T& z, const std::string& dataset, std::int64_t row, std::int64_t column) {
  if (is_finite(z)) return;
  throw std::runtime_error(dataset + ": not a finite number in row " + std::to_string(row) + ", column " +
                           std::to_string(column) + " (counted from 0)");
}

/// A in a dataset, as cholesky_distributed takes an operator: it is asked for rows, and reads of these the columns of
/// one triangle. What is there must be finite; the other triangle may be anything.
template <class T>
class FileMatrix {
 public:
  FileMatrix(const Dataset& dataset, Triangle triangle) : dataset_(dataset), lower_(triangle == Triangle::lower) {}

  template <class Exec>
  void to_dense(const Exec& exec, std::int64_t first_row, const detail::BlockView<T, Exec>& rows) {
    const auto count = static_cast<std::int64_t>(rows.extent(0));
    if (read_.extent(0) < rows.extent(0) || read_.extent(1) != rows.extent(1)) {
      read_ = {};
      read_ = decltype(read_)("tessera::file_matrix::rows", rows.extent(0), rows.extent(1));
    }
    const std::int64_t end = first_row + count;
    dataset_.read(first_row, end, lower_ ? 0 : first_row, lower_ ? end : dataset_.columns(), read_.data());
    require_finite(first_row, count);

    const auto host = Kokkos::create_mirror_view(rows);  // a device's in another layout than the file's
    Kokkos::deep_copy(host, Kokkos::subview(read_, Kokkos::make_pair(std::size_t{0}, rows.extent(0)), Kokkos::ALL));
    Kokkos::deep_copy(exec, rows, host);
    exec.fence();
  }

 private:
  void require_finite(std::int64_t first_row, std::int64_t count) const {
    for (std::int64_t row = 0; row < count; ++row) {
      const std::int64_t diagonal = first_row + row;
      const std::int64_t begin = lower_ ? 0 : diagonal;
      const std::int64_t end = lower_ ? diagonal + 1 : dataset_.columns();
      for (std::int64_t column = begin; column < end; ++column) {
        const T z = read_(row, column);
        // A Hermitian matrix's diagonal is real: Tessera reads nothing else of it.
        perf::require_finite(column == diagonal ? T(detail::real(z)) : z, dataset_.name(), diagonal, column);
      }
    }
  }

  const Dataset& dataset_;
  bool lower_;
  Kokkos::View<T**, Kokkos::LayoutRight, Kokkos::HostSpace> read_;
};

}  // namespace tessera::perf

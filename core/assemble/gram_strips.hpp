// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/distribution.hpp"

namespace tessera::detail {

/// What a process multiplies of a chunk of X: the rows of X that belong to its rows of A, and those that belong to its
/// columns.
enum class Strip { row, column };

/// Which strip of process (p, q) has no row that the other one lacks. Then it is not sent, but picked from the other.
///
///   P x Q grid               process        nesting         sent
///   P = Q                    p = q          same            the column strip; it is the row strip as well
///   P a multiple of Q < P    p mod Q = q    row_in_column   the column strip
///   Q a multiple of P < Q    q mod P = p    column_in_row   the row strip
///   any                      any other      neither         both
enum class Nesting { neither, row_in_column, column_in_row, same };

/// Of the process that both axes are seen from.
constexpr Nesting nesting_of(const BlockCyclic& rows, const BlockCyclic& columns) {
  const int p = rows.coordinate;
  const int q = columns.coordinate;
  const bool row_in_column = rows.processes % columns.processes == 0 && p % columns.processes == q;
  const bool column_in_row = columns.processes % rows.processes == 0 && q % rows.processes == p;
  if (row_in_column && column_in_row) return Nesting::same;
  return row_in_column ? Nesting::row_in_column : column_in_row ? Nesting::column_in_row : Nesting::neither;
}

constexpr bool is_sent(Strip strip, Nesting nesting) {
  if (strip == Strip::row) return nesting == Nesting::neither || nesting == Nesting::column_in_row;
  return nesting != Nesting::column_in_row;
}

}  // namespace tessera::detail

// SPDX-License-Identifier: BSD-3-Clause
#include "core/scalapack/call.hpp"

#include "core/start_kokkos.hpp"
#include "tessera/detail/agreement.hpp"
#include "tessera/errors.hpp"

#include <Kokkos_Core.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

namespace tessera::scalapack {
namespace {

/// Kokkos from the first call on, unless the program has it; it ends with the program.
void require_kokkos() {
  if (!detail::start_kokkos("the call", -1)) return;
  std::atexit([] {
    if (Kokkos::is_initialized()) Kokkos::finalize();
  });
}

void require(const Call& call, const Context& context) {
  const bool upper = call.uplo == 'U' || call.uplo == 'u';
  if (!upper && !call.is_lower()) detail::throw_misuse("UPLO", std::string("is ") + call.uplo);
  call.a.require_sound("A", context, call.a_data, call.alignment);
  call.a.require_square_blocks("A");
  if (call.b) {
    call.b->require_sound("B", context, call.b_data, call.alignment);
    call.b->require_rows_of(call.a, context.shape);
  }
  if (call.is_query) detail::throw_misuse("LWORK", "asks for the workspace");
  if (!(call.norm >= 0)) detail::throw_misuse("ANORM", "is " + std::to_string(call.norm));
}

void note(detail::Agreement& agreement, const Call& call) {
  agreement.same("UPLO", call.is_lower() ? 1 : 0);
  call.a.note(agreement);
  if (call.b) call.b->note(agreement);
  agreement.same("ANORM", call.norm);
}

/// One line for a call to where TESSERA_SCALAPACK_TRACE says: 1 is stderr, anything else the name of a file.
void trace(const Call& call, const Context& context, const char* outcome, const char* why = "") noexcept {
  const char* const to = std::getenv("TESSERA_SCALAPACK_TRACE");
  if (to == nullptr || *to == '\0' || context.row != 0 || context.col != 0) return;
  const bool is_file = std::string_view(to) != "1";
  std::FILE* const file = is_file ? std::fopen(to, "a") : stderr;
  if (file == nullptr) return;
  char line[512];  // in one piece, as several grids may write to one file
  std::snprintf(line, sizeof line, "tessera_scalapack: %s %c n %lld nb %d grid %dx%d: %s%s\n", call.routine, call.uplo,
                static_cast<long long>(call.a.rows), call.a.row_block, context.shape.rows, context.shape.cols, outcome,
                why);
  std::fputs(line, file);
  if (is_file) std::fclose(file);
}

const char* message_of(const std::exception_ptr& exception) noexcept {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& e) {
    return e.what();  // lives as long as `exception`
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

}  // namespace

void run(const Call& call, int* info, int lost, const Work& work, const std::function<void()>& hand_on) noexcept {
  const Context context(call.a.context);
  bool changed = false;
  std::int64_t leading_minor = 0;
  const std::exception_ptr failure = detail::exception_of([&] {
    if (!context.has_this_process()) detail::throw_misuse("CTXT", "this process is not in its grid");
    const ProcessGrid& grid = context.grid();
    detail::agree(grid.communicator(), call.routine, [&](detail::Agreement& agreement) {
      require_kokkos();
      require(call, context);
      note(agreement, call);
    });
    try {
      work(grid, changed);
    } catch (const NotPositiveDefinite& e) {
      leading_minor = e.leading_minor();
    }
  });
  if (!failure) {
    trace(call, context, "Tessera");
    *info = static_cast<int>(leading_minor);
  } else if (!changed) {
    trace(call, context, "handed on, ", message_of(failure));
    hand_on();
  } else {
    trace(call, context, "failed, ", message_of(failure));
    if (context.row == 0 && context.col == 0) {
      std::fprintf(stderr, "tessera_scalapack: %s has failed, and its arrays have changed: %s\n", call.routine,
                   message_of(failure));
    }
    *info = lost;
  }
}

}  // namespace tessera::scalapack

// SPDX-License-Identifier: BSD-3-Clause
#include "core/c/arguments.hpp"
#include "core/c/errors.hpp"

namespace tessera::c {
namespace {

template <class T, class Exec, bool by_rows>
void solve_as(std::shared_ptr<const detail::Communicator> communicator, const Matrix& a, const tessera_array& b,
              const CholeskyOptions& options, tessera_info* info) {
  detail::Memory<typename Exec::memory_space> memory;
  const auto solution =
      detail::solve_once(Exec{}, std::move(communicator), a, RightHandSides<T, by_rows>{b}, options, memory);
  write_info(solution.info, info);
}

tessera_status solve(int comm, const Matrix& a, const tessera_array* b, const tessera_options* given,
                     tessera_info* info) {
  return guarded([&] {
    CholeskyOptions options;
    int space = TESSERA_DEFAULT_SPACE;
    const auto communicator = begin(comm, "tessera_cholesky_distributed", [&] {
      a.require();
      require_array("b", b);
      if (a.scalar() != b->scalar) {
        detail::throw_misuse("b.scalar",
                             "must be that of a, " + std::to_string(a.scalar()) + ", got " + std::to_string(b->scalar));
      }
      const auto all = complete("options.size", given, tessera_options_init);
      options = options_of(all);
      require_space(space = all.space);
      require_info(info);
    });
    noting_minor(info, [&] {
      with_scalar(b->scalar, [&]<class T>() {
        with_space(space, [&]<class Exec>() {
          const auto solve_in = b->by_rows == 1 ? solve_as<T, Exec, true> : solve_as<T, Exec, false>;
          solve_in(communicator, a, *b, options, info);
        });
      });
    });
  });
}

}  // namespace
}  // namespace tessera::c

using namespace tessera;
using namespace tessera::c;

tessera_status tessera_cholesky_distributed(int comm, const tessera_array* a, const tessera_array* b,
                                            const tessera_options* options, tessera_info* info) {
  return solve(comm, {.rows = a}, b, options, info);
}

tessera_status tessera_cholesky_distributed_operator(int comm, const tessera_operator* a, const tessera_array* b,
                                                     const tessera_options* options, tessera_info* info) {
  return solve(comm, {.on_request = a, .is_operator = true}, b, options, info);
}

tessera_status tessera_refuse(int comm, const char* text) {
  return guarded([&] {
    const auto communicator = detail::duplicate(detail::communicator_of(comm));
    detail::agree(*communicator, "tessera_refuse", [&](detail::Agreement&) { throw detail::Misuse(text); });
  });
}

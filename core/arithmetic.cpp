// SPDX-License-Identifier: BSD-3-Clause
#include "core/tuning.hpp"
#include "kernels/instantiate.hpp"
#include "kernels/moduli.hpp"
#include "tessera/cholesky_factor.hpp"

#include <string>
#include <type_traits>

namespace tessera::detail {

void require_arithmetic(Arithmetic arithmetic, int moduli) {
  if (arithmetic != Arithmetic::native && arithmetic != Arithmetic::integer && arithmetic != Arithmetic::fastest) {
    throw_misuse("arithmetic",
                 "must be native, integer or fastest, got " + std::to_string(static_cast<int>(arithmetic)));
  }
  if (moduli != 0 && (moduli < kernels::Moduli::least || moduli > kernels::Moduli::most)) {
    throw_misuse("moduli", "must be 0 or from 4 to 15, got " + std::to_string(moduli));
  }
}

void require_bytes_free(const std::optional<std::int64_t>& bytes) {
  if (bytes && *bytes < 0) throw_misuse("bytes_free", "must not be negative, got " + std::to_string(*bytes));
}

void describe_bytes_free(Agreement& agreement, const std::optional<std::int64_t>& bytes) {
  require_bytes_free(bytes);
  agreement.same("bytes_free", bytes ? std::to_string(*bytes) : std::string("not given"));
}

template <class T, class Exec>
int moduli_for(Arithmetic arithmetic, int moduli, std::int64_t n, int ranks) {
  if (arithmetic == Arithmetic::fastest) {
    arithmetic = Tuning<typename Exec::memory_space>::template gains_by_integers<T>(n, ranks) ? Arithmetic::integer
                                                                                              : Arithmetic::native;
  }
  if (arithmetic == Arithmetic::native) return 0;
  if (moduli != 0) return moduli;
  if (std::is_same_v<RealOf<T>, float>) return 6;
  return n > 1024 ? 13 : 14;  // the rounding of L stays where it is, while that of native sums grows with n
}

#define TESSERA_INSTANTIATE_MODULI(T, Exec) template int moduli_for<T, Exec>(Arithmetic, int, std::int64_t, int);
#define TESSERA_INSTANTIATE_ALL_MODULI(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_MODULI, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_ALL_MODULI)

}  // namespace tessera::detail

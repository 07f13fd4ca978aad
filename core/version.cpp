// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/version.hpp"

#include <string_view>

#define TESSERA_TEXT_OF(number) #number
#define TESSERA_TEXT(number) TESSERA_TEXT_OF(number)

namespace tessera {
namespace {

constexpr std::string_view from_numbers =
    TESSERA_TEXT(TESSERA_VERSION_MAJOR) "." TESSERA_TEXT(TESSERA_VERSION_MINOR) "." TESSERA_TEXT(TESSERA_VERSION_PATCH);
static_assert(from_numbers == TESSERA_VERSION, "TESSERA_VERSION is not made of its three numbers");

// The header is read without CMake, too, and so repeats what project() says.
static_assert(from_numbers == TESSERA_PROJECT_VERSION, "the version in tessera/version.hpp is not project()'s");

}  // namespace

const char* version() noexcept { return TESSERA_VERSION; }

}  // namespace tessera

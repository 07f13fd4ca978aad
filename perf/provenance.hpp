// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/machine.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace tessera::perf {

/// What each JSON file here begins with, so that its figures can be repeated: the program, the date, the commit, the
/// command line and the machine. The commit is $TESSERA_COMMIT, which perf/measure*.sh set: a program cannot know it.
nlohmann::ordered_json provenance(const std::string& program, const Machine& machine = this_machine());

}  // namespace tessera::perf

// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/program.hpp"

#include <string>

namespace tessera::perf {

/// A dataset of an HDF5 file, written as FILE:/DATASET.
struct DatasetName {
  std::string file;
  std::string path;

  std::string text() const { return file + ":" + path; }
};

/// What `option` was given.
inline DatasetName parse_dataset_name(const std::string& option, const std::string& word) {
  const std::size_t colon = word.rfind(":/");
  if (colon == std::string::npos || colon == 0 || word.back() == '/') {
    throw UsageError(option + ": expected FILE:/DATASET, got " + word);
  }
  return {word.substr(0, colon), word.substr(colon + 1)};
}

}  // namespace tessera::perf

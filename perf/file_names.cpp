// SPDX-License-Identifier: BSD-3-Clause
#include "perf/file_names.hpp"

#include "perf/program.hpp"

#include <cstddef>
#include <system_error>

namespace tessera::perf {
namespace {

namespace fs = std::filesystem;

void require_another(const NamedFile& output, const NamedFile& other) {
  if (output.path.empty() || other.path.empty() || !same_file(output.path, other.path)) return;
  throw UsageError(output.name + ": expected another file than that of " + other.name + ", got " +
                   output.path.string());
}

}  // namespace

fs::path follow_links(fs::path path) {
  std::error_code ignored;
  for (int links = 0; links < 40 && fs::is_symlink(path, ignored); ++links) {
    path = path.parent_path() / fs::read_symlink(path, ignored);
  }
  return path;
}

bool same_file(const fs::path& a, const fs::path& b) {
  std::error_code missing;
  if (fs::equivalent(a, b, missing)) return true;
  const fs::path one = follow_links(a);
  const fs::path other = follow_links(b);
  const fs::path here = ".";  // a path without a directory is looked for here
  return one.filename() == other.filename() &&
         fs::equivalent(here / one.parent_path(), here / other.parent_path(), missing);
}

void require_distinct(const std::vector<NamedFile>& outputs, const std::vector<NamedFile>& inputs) {
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    for (std::size_t other = 0; other < k; ++other) require_another(outputs[k], outputs[other]);
    for (const NamedFile& input : inputs) require_another(outputs[k], input);
    require_another(outputs[k], {"standard output", "/dev/stdout"});
    require_another(outputs[k], {"standard error", "/dev/stderr"});
  }
}

}  // namespace tessera::perf

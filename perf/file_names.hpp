// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <filesystem>
#include <string>
#include <vector>

// Files, whatever they are called.
namespace tessera::perf {

/// What a link, and a link that this is one to, leads to; it need not exist.
std::filesystem::path follow_links(std::filesystem::path path);

/// Whether both lead to one file, or would if there were one.
bool same_file(const std::filesystem::path& a, const std::filesystem::path& b);

/// A file, and the option that names it, or what else it is.
struct NamedFile {
  std::string name;
  std::filesystem::path path;
};

/// Throws UsageError unless each of `outputs` is another file than all of `inputs`, the other outputs, and those that
/// stdout and stderr go to. Empty paths are none.
void require_distinct(const std::vector<NamedFile>& outputs, const std::vector<NamedFile>& inputs);

}  // namespace tessera::perf

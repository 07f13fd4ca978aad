// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <filesystem>
#include <string>

namespace tessera::perf {

/// A regular file that appears whole or not at all, and in place of an older one, whose permissions it keeps. Until
/// then what is written lies in another file beside it. Failures are std::runtime_error.
///
/// Of several files all are staged before the first is committed: then a full disk leaves all older ones.
class OutputFile {
 public:
  /// Finds out what can't be written to, before there is something to lose.
  explicit OutputFile(std::filesystem::path path);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile() { discard(); }

  /// Writes all of the file to the disk.
  void stage(const std::string& text);

  /// Puts it in its place.
  void commit();

  void write(const std::string& text) {
    stage(text);
    commit();
  }

 private:
  int open_temporary();
  void discard();
  [[noreturn]] void fail(const std::string& reason) const;
  [[noreturn]] void fail(int error) const;

  std::filesystem::path path_;
  std::filesystem::path final_;      ///< what path_ leads to
  std::filesystem::path temporary_;  ///< empty: there is none
};

}  // namespace tessera::perf

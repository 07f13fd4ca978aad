#pragma once

#include <filesystem>
#include <fstream>
#include <string>

namespace tessera::perf {

/// A file that appears whole or not at all, and in place of an older one. It is opened at once, so that a place that
/// cannot be written to is found out before there is something to lose; failures are std::runtime_error.
class OutputFile {
 public:
  explicit OutputFile(std::filesystem::path path);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  void write(const std::string& text);

 private:
  [[noreturn]] void fail(int error) const;

  std::filesystem::path path_;
  std::filesystem::path final_;  ///< what path_ leads to
  std::filesystem::path temporary_;
  std::ofstream stream_;
};

}  // namespace tessera::perf

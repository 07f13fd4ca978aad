// SPDX-License-Identifier: BSD-3-Clause
#include "perf/output_file.hpp"

#include "perf/file_names.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace tessera::perf {
namespace {

namespace fs = std::filesystem;

std::string random_name() {
  std::random_device random;
  std::ostringstream name;
  name << ".tessera." << std::hex << random() << random() << ".tmp";
  return name.str();
}

/// 0, or an error.
int write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno != EINTR) return errno;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  return fsync(file) == 0 ? 0 : errno;
}

}  // namespace

OutputFile::OutputFile(fs::path path) : path_(std::move(path)), final_(follow_links(path_)) {
  std::error_code error;
  const fs::file_status older = fs::symlink_status(final_, error);
  if (fs::is_symlink(older)) fail(ELOOP);
  if (fs::exists(older)) {
    if (!fs::is_regular_file(older)) fail("it is not a regular file");
    if (access(final_.c_str(), W_OK) != 0) fail(errno);
  }
  close(open_temporary());
  discard();  // a program that is killed while it computes leaves nothing
}

void OutputFile::stage(const std::string& text) {
  const int file = open_temporary();
  const int failure = write_all(file, text);
  const int failure_to_close = close(file) == 0 ? 0 : errno;
  if (failure != 0) fail(failure);
  if (failure_to_close != 0) fail(failure_to_close);
}

void OutputFile::commit() {
  std::error_code error;
  fs::rename(temporary_, final_, error);
  if (error) fail(error.value());
  temporary_.clear();
}

/// Nobody can have prepared a file, or a link, of that name.
int OutputFile::open_temporary() {
  struct stat older {};
  const bool replaces = stat(final_.c_str(), &older) == 0;
  const mode_t mode = replaces ? older.st_mode & 0777 : 0666;
  for (int attempts = 0; attempts < 100; ++attempts) {
    const fs::path name = final_.parent_path() / random_name();
    const int file = open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0 && errno == EEXIST) continue;
    if (file < 0) fail(errno);
    temporary_ = name;
    if (replaces && fchmod(file, mode) != 0) {
      const int error = errno;
      close(file);
      discard();
      fail(error);
    }
    return file;
  }
  fail(EEXIST);
}

void OutputFile::discard() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove(temporary_, ignored);
  temporary_.clear();
}

void OutputFile::fail(const std::string& reason) const {
  throw std::runtime_error("cannot write " + path_.string() + ": " + reason);
}

void OutputFile::fail(int error) const { fail(std::strerror(error)); }

}  // namespace tessera::perf

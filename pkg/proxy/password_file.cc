#include "pkg/proxy/password_file.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>
#include <utility>

namespace kdb::proxy {
namespace {

// In time that does not depend on where they differ.
bool SameSecret(std::string_view given, std::string_view valid) {
  unsigned difference = given.size() == valid.size() ? 0 : 1;
  for (size_t i = 0; i < valid.size(); ++i) {
    unsigned char other = i < given.size() ? static_cast<unsigned char>(given[i]) : 0;
    difference |= static_cast<unsigned char>(valid[i]) ^ other;
  }
  return difference == 0;
}

std::vector<std::string> Lines(const std::string& content) {
  std::vector<std::string> lines;
  std::istringstream in(content);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace

Passwords::Passwords(std::string path, obs::Logger logger)
    : path_(std::move(path)), logger_(std::move(logger)) {}

absl::Status Passwords::Reload() {
  if (path_.empty()) return absl::OkStatus();
  std::ifstream in(path_, std::ios::binary);
  std::ostringstream content;
  if (!in || !(content << in.rdbuf())) {
    return absl::InvalidArgumentError(
        fmt::format("password file {}: cannot be read, or is empty", path_));
  }
  std::vector<std::string> valid = Lines(content.str());
  if (valid.empty()) {
    return absl::InvalidArgumentError(fmt::format("password file {}: has no password", path_));
  }
  MutexLock lock(mu_);
  if (content.str() == content_) return absl::OkStatus();
  bool first = content_.empty();
  content_ = content.str();
  valid_ = std::move(valid);
  if (!first) logger_->info("password file {} was reloaded: {} passwords", path_, valid_.size());
  return absl::OkStatus();
}

void Passwords::Check() {
  std::string error(Reload().message());
  MutexLock lock(mu_);
  if (error == logged_error_) return;
  if (error.empty()) {
    logger_->info("password file {} is readable again", path_);
  } else {
    logger_->error("{}; the passwords stay as they were", error);
  }
  logged_error_ = std::move(error);
}

bool Passwords::Accepts(std::string_view password) const {
  MutexLock lock(mu_);
  bool accepted = false;
  for (const std::string& valid : valid_) accepted |= SameSecret(password, valid);
  return accepted;
}

}  // namespace kdb::proxy

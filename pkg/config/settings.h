// A program's settings: flags and the keys of a YAML file, of the same names, checked against their
// ranges. A flag overrides the file. An unknown or out-of-range setting is an error that names it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kdb::config {

// The variables bound must outlive it; they keep their values where neither flag nor file sets
// them.
class Settings {
 public:
  Settings(std::string program, std::string description, std::string version);
  ~Settings();

  // Of each value given, not of the default. The error says what is wrong with it.
  using Check = absl::Status (*)(const std::string&);

  // `name` in kebab-case: --name and `name:`.
  void Add(const std::string& name, std::string* value, const std::string& help,
           Check check = nullptr);
  void Add(const std::string& name, bool* value, const std::string& help);
  void Add(const std::string& name, uint64_t* value, const std::string& help, uint64_t min,
           uint64_t max);
  void Add(const std::string& name, std::vector<std::string>* value, const std::string& help,
           Check check = nullptr);
  // One of `choices`.
  void AddChoice(const std::string& name, std::string* value, const std::string& help,
                 std::vector<std::string> choices);
  // "16MiB", "512KiB", "1GiB" or plain bytes.
  void AddBytes(const std::string& name, uint64_t* value, const std::string& help, uint64_t min,
                uint64_t max);
  // "50ms", "10s", "2m".
  void AddDuration(const std::string& name, std::chrono::milliseconds* value,
                   const std::string& help, std::chrono::milliseconds min,
                   std::chrono::milliseconds max);

  enum class Outcome { kRun, kExit };
  // kExit: --help or --version was asked for and printed to stdout. INVALID_ARGUMENT names the
  // setting.
  absl::StatusOr<Outcome> Parse(int argc, const char* const* argv);

 private:
  struct Setting;

  void AddSetting(const std::string& name, const std::string& help, std::string shown_default,
                  std::function<absl::Status(const std::vector<std::string>&)> set, bool is_list,
                  bool is_flag);
  absl::Status ParseFile(const std::string& path);
  const Setting* Find(const std::string& name) const;
  absl::Status Set(const Setting& setting, const std::vector<std::string>& values,
                   const std::string& where);

  std::string program_;
  std::string description_;
  std::string version_;
  std::vector<std::unique_ptr<Setting>> settings_;
};

// "16MiB" -> 16777216. INVALID_ARGUMENT says what is accepted.
absl::StatusOr<uint64_t> ParseBytes(const std::string& text);
absl::StatusOr<std::chrono::milliseconds> ParseDuration(const std::string& text);

}  // namespace kdb::config

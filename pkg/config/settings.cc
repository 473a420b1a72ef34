#include "pkg/config/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "pkg/base/status.h"

namespace kdb::config {

struct Settings::Setting {
  std::string name;
  std::string help;
  std::function<absl::Status(const std::vector<std::string>&)> set;
  bool is_list;
  bool is_flag;
  std::vector<std::string> from_flags;
  CLI::Option* option = nullptr;
};

namespace {

std::string FormatBytes(uint64_t v) {
  static constexpr std::pair<uint64_t, const char*> kUnits[] = {
      {1ull << 30, "GiB"}, {1ull << 20, "MiB"}, {1ull << 10, "KiB"}};
  for (auto [factor, suffix] : kUnits) {
    if (v > 0 && v % factor == 0) return fmt::format("{}{}", v / factor, suffix);
  }
  return std::to_string(v);
}

std::string FormatDuration(std::chrono::milliseconds v) {
  return v.count() % 1000 == 0 ? fmt::format("{}s", v.count() / 1000)
                               : fmt::format("{}ms", v.count());
}

absl::Status OutOfRange(const std::string& got, const std::string& min, const std::string& max) {
  return absl::InvalidArgumentError(fmt::format("{} is out of range: {} to {}", got, min, max));
}

absl::StatusOr<YAML::Node> LoadYaml(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {}", path, std::generic_category().message(errno)));
  }
  try {
    // yaml-cpp leaks its buffer when the stream it reads from throws.
    return YAML::Load(std::string(std::istreambuf_iterator<char>(file), {}));
  } catch (const std::exception& error) {  // YAML's own, or the stream's: path may be a directory
    return absl::InvalidArgumentError(fmt::format("{}: {}", path, error.what()));
  }
}

// A value, or where a list may be, several; nullopt for what is neither.
std::optional<std::vector<std::string>> ValuesOf(const YAML::Node& node, bool may_be_list) {
  if (node.IsScalar()) return {{node.Scalar()}};
  if (!node.IsSequence() || !may_be_list) return std::nullopt;
  std::vector<std::string> values;
  for (const auto& element : node) {
    if (!element.IsScalar()) return std::nullopt;
    values.push_back(element.Scalar());
  }
  return values;
}

}  // namespace

Settings::Settings(std::string program, std::string description, std::string version)
    : program_(std::move(program)),
      description_(std::move(description)),
      version_(std::move(version)) {}
Settings::~Settings() = default;

void Settings::AddSetting(const std::string& name, const std::string& help,
                          std::string shown_default,
                          std::function<absl::Status(const std::vector<std::string>&)> set,
                          bool is_list, bool is_flag) {
  std::string text = shown_default.empty() ? help : fmt::format("{} [{}]", help, shown_default);
  settings_.push_back(std::make_unique<Setting>(
      Setting{name, std::move(text), std::move(set), is_list, is_flag, {}, nullptr}));
}

void Settings::Add(const std::string& name, std::string* value, const std::string& help,
                   Check check) {
  AddSetting(
      name, help, *value,
      [value, check](const auto& v) {
        if (check != nullptr) KDB_RETURN_IF_ERROR(check(v.back()));
        *value = v.back();
        return absl::OkStatus();
      },
      false, false);
}

void Settings::Add(const std::string& name, bool* value, const std::string& help) {
  AddSetting(
      name, help, *value ? "true" : "",
      [value](const auto& v) {
        if (v.back() != "true" && v.back() != "false") {
          return absl::InvalidArgumentError(
              fmt::format("'{}' is neither true nor false", v.back()));
        }
        *value = v.back() == "true";
        return absl::OkStatus();
      },
      false, true);
}

void Settings::Add(const std::string& name, uint64_t* value, const std::string& help, uint64_t min,
                   uint64_t max) {
  AddSetting(
      name, help, std::to_string(*value),
      [=](const auto& v) {
        uint64_t parsed = 0;
        const std::string& text = v.back();
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
        if (error != std::errc() || end != text.data() + text.size()) {
          return absl::InvalidArgumentError(fmt::format("'{}' is not a whole number", text));
        }
        if (parsed < min || parsed > max)
          return OutOfRange(text, std::to_string(min), std::to_string(max));
        *value = parsed;
        return absl::OkStatus();
      },
      false, false);
}

void Settings::Add(const std::string& name, std::vector<std::string>* value,
                   const std::string& help, Check check) {
  AddSetting(
      name, help, fmt::format("{}", fmt::join(*value, ",")),
      [value, check](const auto& v) {
        value->clear();
        for (const std::string& item : v) {
          for (const std::string& part : CLI::detail::split(item, ',')) {
            if (part.empty()) continue;
            if (check != nullptr) KDB_RETURN_IF_ERROR(check(part));
            value->push_back(part);
          }
        }
        return absl::OkStatus();
      },
      true, false);
}

void Settings::AddChoice(const std::string& name, std::string* value, const std::string& help,
                         std::vector<std::string> choices) {
  std::string shown = fmt::format("{}: {}", help, fmt::join(choices, ", "));
  AddSetting(
      name, shown, *value,
      [value, choices = std::move(choices)](const auto& v) {
        if (std::find(choices.begin(), choices.end(), v.back()) == choices.end()) {
          return absl::InvalidArgumentError(
              fmt::format("'{}' is not one of {}", v.back(), fmt::join(choices, ", ")));
        }
        *value = v.back();
        return absl::OkStatus();
      },
      false, false);
}

void Settings::AddBytes(const std::string& name, uint64_t* value, const std::string& help,
                        uint64_t min, uint64_t max) {
  AddSetting(
      name, help, FormatBytes(*value),
      [=](const auto& v) {
        KDB_ASSIGN_OR_RETURN(uint64_t parsed, ParseBytes(v.back()));
        if (parsed < min || parsed > max)
          return OutOfRange(v.back(), FormatBytes(min), FormatBytes(max));
        *value = parsed;
        return absl::OkStatus();
      },
      false, false);
}

void Settings::AddDuration(const std::string& name, std::chrono::milliseconds* value,
                           const std::string& help, std::chrono::milliseconds min,
                           std::chrono::milliseconds max) {
  AddSetting(
      name, help, FormatDuration(*value),
      [=](const auto& v) {
        KDB_ASSIGN_OR_RETURN(std::chrono::milliseconds parsed, ParseDuration(v.back()));
        if (parsed < min || parsed > max) {
          return OutOfRange(v.back(), FormatDuration(min), FormatDuration(max));
        }
        *value = parsed;
        return absl::OkStatus();
      },
      false, false);
}

absl::StatusOr<Settings::Outcome> Settings::Parse(int argc, const char* const* argv) {
  CLI::App app(description_, program_);
  app.set_version_flag("--version", fmt::format("{} {}", program_, version_));
  std::string config_file;
  app.add_option("--config", config_file, "A YAML file of settings, by the names of the flags");
  for (auto& setting : settings_) {
    setting->option = app.add_option("--" + setting->name, setting->from_flags, setting->help);
    setting->option->option_text(" ");
    if (setting->is_flag) {
      setting->option->expected(0, 1)->default_str("true");
    } else if (!setting->is_list) {
      setting->option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    app.exit(asked, std::cout, std::cerr);
    return Outcome::kExit;
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(fmt::format("{}; see {} --help", error.what(), program_));
  }
  if (!config_file.empty()) KDB_RETURN_IF_ERROR(ParseFile(config_file));
  for (const auto& setting : settings_) {
    if (setting->option->count() == 0) continue;
    std::vector<std::string> values = setting->from_flags;
    if (setting->is_flag && values.empty()) values = {"true"};
    KDB_RETURN_IF_ERROR(Set(*setting, values, "--" + setting->name));
  }
  return Outcome::kRun;
}

absl::Status Settings::ParseFile(const std::string& path) {
  KDB_ASSIGN_OR_RETURN(YAML::Node root, LoadYaml(path));
  if (root.IsNull()) return absl::OkStatus();
  if (!root.IsMap())
    return absl::InvalidArgumentError(fmt::format("{}: not a map of settings", path));
  std::map<std::string, int> lines;
  for (const auto& item : root) {
    const std::string name = item.first.Scalar();
    const int line = item.first.Mark().line + 1;
    const std::string where = fmt::format("{}:{}: {}", path, line, name);
    const Setting* setting = Find(name);
    if (setting == nullptr) {
      return absl::InvalidArgumentError(fmt::format("{}: unknown setting", where));
    }
    if (auto [first, inserted] = lines.emplace(name, line); !inserted) {
      return absl::InvalidArgumentError(
          fmt::format("{}: given in line {} already", where, first->second));
    }
    std::optional<std::vector<std::string>> values = ValuesOf(item.second, setting->is_list);
    if (!values) {
      return absl::InvalidArgumentError(fmt::format(
          "{}: {}", where, setting->is_list ? "not a list of values" : "not a single value"));
    }
    KDB_RETURN_IF_ERROR(Set(*setting, *values, where));
  }
  return absl::OkStatus();
}

const Settings::Setting* Settings::Find(const std::string& name) const {
  for (const auto& setting : settings_) {
    if (setting->name == name) return setting.get();
  }
  return nullptr;
}

absl::Status Settings::Set(const Setting& setting, const std::vector<std::string>& values,
                           const std::string& where) {
  absl::Status status = setting.set(values);
  if (status.ok()) return status;
  return absl::InvalidArgumentError(fmt::format("{}: {}", where, std::string(status.message())));
}

}  // namespace kdb::config

#include "pkg/obs/log.h"

#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <nlohmann/json.hpp>

namespace kdb::obs {
namespace {

// The message as a JSON string, quotes included: spdlog's own %v does not escape.
class JsonMessage final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    std::string text = nlohmann::json(std::string(message.payload.data(), message.payload.size()))
                           .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JsonMessage>();
  }
};

}  // namespace

Logger NewLogger(std::string_view process, std::string_view instance, LogFormat format) {
  auto logger = std::make_shared<spdlog::logger>(std::string(process),
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  if (format == LogFormat::kJson) {
    formatter->add_flag<JsonMessage>('*').set_pattern(fmt::format(
        R"({{"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","process":"%n","instance":{},"thread":%t,"message":%*}})",
        nlohmann::json(std::string(instance)).dump()));
  } else {
    formatter->set_pattern(fmt::format("%Y-%m-%dT%H:%M:%S.%eZ %L %n {} %v", instance));
  }
  logger->set_formatter(std::move(formatter));
  logger->flush_on(spdlog::level::info);
  return logger;
}

Logger NullLogger() {
  return std::make_shared<spdlog::logger>("null", std::make_shared<spdlog::sinks::null_sink_st>());
}

Logger StreamLogger(std::ostream& out) {
  auto logger = std::make_shared<spdlog::logger>(
      "stream", std::make_shared<spdlog::sinks::ostream_sink_mt>(out));
  logger->set_pattern("%l: %v");
  return logger;
}

absl::Status SetLogLevel(spdlog::logger& logger, std::string_view level) {
  static constexpr std::pair<std::string_view, spdlog::level::level_enum> kLevels[] = {
      {"trace", spdlog::level::trace},
      {"debug", spdlog::level::debug},
      {"info", spdlog::level::info},
      {"warn", spdlog::level::warn},
      {"error", spdlog::level::err}};
  for (auto [name, value] : kLevels) {
    if (name == level) {
      logger.set_level(value);
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError(
      fmt::format("log level '{}' is not one of trace, debug, info, warn, error", level));
}

}  // namespace kdb::obs

#include "pkg/obs/log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace kdb::obs {
namespace {

TEST(LogTest, JsonLinesEscapeTheMessage) {
  ::testing::internal::CaptureStderr();
  Logger logger = NewLogger("kdb-kv", "kv \"0\"", LogFormat::kJson);
  logger->info("a \"quoted\" word\nand a line");
  std::string line = ::testing::internal::GetCapturedStderr();
  auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["message"], "a \"quoted\" word\nand a line");
  EXPECT_EQ(json["process"], "kdb-kv");
  EXPECT_EQ(json["instance"], "kv \"0\"");
  EXPECT_EQ(json["level"], "info");
}

TEST(LogTest, LevelChangesAtRunTime) {
  ::testing::internal::CaptureStderr();
  Logger logger = NewLogger("p", "i", LogFormat::kText);
  logger->debug("hidden");
  EXPECT_TRUE(SetLogLevel(*logger, "debug").ok());
  logger->debug("shown");
  EXPECT_FALSE(SetLogLevel(*logger, "loud").ok());
  std::string out = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(out.find("hidden"), std::string::npos);
  EXPECT_NE(out.find("shown"), std::string::npos);
}

}  // namespace
}  // namespace kdb::obs

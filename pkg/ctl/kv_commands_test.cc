#include "pkg/ctl/kv_commands.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace kdb::ctl {
namespace {

std::string Json(const std::string& bytes) {
  nlohmann::json json;
  AddBytes(json, "key", bytes);
  return json.dump();
}

TEST(KvCommandsTest, WhatIsNotTextIsPrintedWithoutLoss) {
  EXPECT_EQ(Json("caf\u00e9 \n\uFFFD"), "{\"key\":\"caf\u00e9 \\n\uFFFD\"}");
  EXPECT_EQ(Json(std::string("a\0b", 3)), R"({"key":"a\u0000b"})");
  EXPECT_EQ(Json("\xff\x01"), R"({"key_base64":"/wE="})");
  EXPECT_EQ(Json("caf\xc3"), R"({"key_base64":"Y2Fmww=="})");
}

}  // namespace
}  // namespace kdb::ctl

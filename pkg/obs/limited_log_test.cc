#include "pkg/obs/limited_log.h"

#include <gtest/gtest.h>

#include <sstream>

namespace kdb::obs {
namespace {

TEST(LimitedLogTest, TheSameIsNotLoggedAgainForAWhile) {
  std::ostringstream out;
  LimitedLog log(StreamLogger(out));
  const LimitedLog::Time start;
  log.Warn("a", start);
  log.Warn("a", start + std::chrono::seconds(1));
  log.Warn("b", start + std::chrono::seconds(2));
  log.Warn("a", start + LimitedLog::kAgainAfter - std::chrono::nanoseconds(1));
  EXPECT_EQ(out.str(), "warning: a\nwarning: b\n");
  log.Warn("a", start + LimitedLog::kAgainAfter);
  log.Warn("b", start + LimitedLog::kAgainAfter);
  EXPECT_EQ(out.str(), "warning: a\nwarning: b\nwarning: a\n");
}

TEST(LimitedLogTest, DifferentLinesAreBounded) {
  std::ostringstream out;
  LimitedLog log(StreamLogger(out));
  const LimitedLog::Time start;
  for (size_t i = 0; i < 2 * LimitedLog::kMaxLines; ++i) log.Warn(std::to_string(i), start);
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), LimitedLog::kMaxLines);
  out.str("");
  log.Warn("later", start + LimitedLog::kAgainAfter);
  EXPECT_EQ(out.str(), "warning: later\n");
}

}  // namespace
}  // namespace kdb::obs

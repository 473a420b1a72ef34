#include "pkg/rpc/connection_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kdb::rpc {
namespace {

using ::testing::HasSubstr;
using Event = net::Listener::Event;

class ManualClock final : public Clock {
 public:
  Duration Monotonic() const override { return now; }
  int64_t WallMillis() const override { return 0; }
  Duration now = std::chrono::hours(1);
};

class ConnectionEventsTest : public ::testing::Test {
 protected:
  double Counted(const std::string& reason) {
    return metrics_.AddCounter("kdb_server_connections_refused_total", "", {{"reason", reason}})
        .Value();
  }
  // What is logged while the events are added.
  std::string Log(Event event, int times = 1) {
    ::testing::internal::CaptureStderr();
    for (int i = 0; i < times; ++i) events_.Add(event);
    logger_->flush();
    return ::testing::internal::GetCapturedStderr();
  }

  ManualClock clock_;
  obs::Registry metrics_;
  obs::Logger logger_ = obs::NewLogger("test", "", obs::LogFormat::kText);
  ConnectionEvents events_{7, clock_, metrics_, logger_};
};

TEST_F(ConnectionEventsTest, CountsEachKind) {
  for (Event event : {Event::kAccepted, Event::kTooMany, Event::kTooMany, Event::kDisplaced,
                      Event::kSilent, Event::kNoDescriptor}) {
    events_.Add(event);
  }
  EXPECT_EQ(metrics_.AddCounter("kdb_server_connections_accepted_total", "").Value(), 1);
  EXPECT_EQ(Counted("too_many"), 2);
  EXPECT_EQ(Counted("displaced"), 1);
  EXPECT_EQ(Counted("silent"), 1);
  EXPECT_EQ(Counted("no_descriptor"), 1);
}

TEST_F(ConnectionEventsTest, TellsOfManyInOneLine) {
  EXPECT_THAT(Log(Event::kTooMany), HasSubstr("refused 1 connections: max-connections (7)"));
  EXPECT_EQ(Log(Event::kTooMany, 100), "");
  // Each kind has its line.
  EXPECT_THAT(Log(Event::kSilent), HasSubstr("refused 1 connections: they did not say in time"));
  clock_.now += std::chrono::seconds(10);
  EXPECT_THAT(Log(Event::kTooMany), HasSubstr("refused 101 connections: "));
}

}  // namespace
}  // namespace kdb::rpc

#include "pkg/kv/sessions.h"

#include <gmock/gmock.h>

#include "pkg/kv/replica_fixture.h"

namespace kdb::kv {
namespace {

using wire::BatchCode;

class SessionsTest : public ReplicaTest {
 protected:
  void SetUp() override {
    log_.OwnAll();
    OpenSession();
  }

  const wire::BatchReply& Incr(uint64_t seq, uint64_t ack_below = 0) {
    return Send({.session = session_, .seq = seq, .ack_below = ack_below}, {CommandOp("INCR n")});
  }
  size_t StoredReplies() {
    KeyRange range = ReplyKeys();
    auto it = replica_.engine().NewIterator(range.lower, range.upper);
    size_t n = 0;
    for (it->SeekToFirst(); it->Valid(); it->Next()) ++n;
    return n;
  }
};

TEST_F(SessionsTest, TheNumberIsTheEntrysIndex) {
  EXPECT_EQ(session_, log_.Last());
  uint64_t first = session_;
  EXPECT_GT(OpenSession(), first);
  EXPECT_EQ(replica_.state().stats().sessions, 2u);
}

// Proxies reckon deadlines from it, and may be the first to write after hours.
TEST_F(SessionsTest, OpeningTellsTheLogTimeOfItsEntry) {
  log_.now_ms += 3'600'000;
  log_.Add(EntryKind::kOpenSession);
  auto opened = DecodeOpenedSession(Apply());
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(opened->session, log_.Last());
  EXPECT_EQ(opened->log_time_ms, log_.now_ms);
}

TEST_F(SessionsTest, BatchesExecuteInOrder) {
  EXPECT_EQ(Incr(1).results[0].reply, ":1\r\n");
  EXPECT_EQ(Incr(2).results[0].reply, ":2\r\n");
}

TEST_F(SessionsTest, AGapIsNotExecuted) {
  Incr(1);
  Incr(3);
  EXPECT_EQ(reply_.code, BatchCode::kGap);
  EXPECT_EQ(reply_.last, 1u);
  EXPECT_EQ(Incr(2).results[0].reply, ":2\r\n");
  EXPECT_EQ(Incr(3).results[0].reply, ":3\r\n");
}

TEST_F(SessionsTest, ARepeatIsAnsweredFromTheStoredReply) {
  Incr(1);
  std::string first = bytes_;
  Incr(2);
  log_.now_ms += 60'000;
  Incr(1);
  EXPECT_EQ(bytes_, first);
  EXPECT_EQ(Incr(3).results[0].reply, ":3\r\n");
}

TEST_F(SessionsTest, ARepeatSurvivesARestart) {
  Incr(1);
  std::string first = bytes_;
  ASSERT_TRUE(replica_.state().Flush().ok());
  Random random(1);
  replica_.Crash(random);
  Incr(1);
  EXPECT_EQ(bytes_, first);
}

TEST_F(SessionsTest, ARepeatInTheSameApplyIsAnsweredTheSame) {
  for (int i = 0; i < 3; ++i) {
    log_.Batch({.session = session_, .seq = 1}, {CommandOp("INCR n")});
  }
  std::vector<Payload> results = replica_.CatchUp(log_.log(), 100);
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
  EXPECT_EQ(Read("GET n"), "$1\r\n1\r\n");
}

TEST_F(SessionsTest, AckBelowTrims) {
  Incr(1);
  Incr(2);
  Incr(3, 3);
  EXPECT_EQ(StoredReplies(), 1u);
  EXPECT_EQ(Incr(2).code, BatchCode::kTrimmed);
  EXPECT_EQ(Incr(3).results[0].reply, ":3\r\n");
  Incr(4, 1000);  // an acknowledgement from the future does not trim the newest
  EXPECT_EQ(Incr(4).results[0].reply, ":4\r\n");
  EXPECT_EQ(StoredReplies(), 1u);
  Incr(5);
  EXPECT_EQ(Incr(4).results[0].reply, ":4\r\n");  // nor those that come after it
}

TEST_F(SessionsTest, TheRecordSaysWhenItWasActive) {
  log_.now_ms += 1234;
  Incr(1);
  std::string bytes;
  ASSERT_TRUE(*replica_.engine().Get(SessionKey(session_), &bytes));
  EXPECT_EQ(*DecodeSessionRecord(bytes), (SessionRecord{1, 0, kNoon + 1234}));
}

TEST_F(SessionsTest, TheWindowIsBoundedInBatches) {
  for (uint64_t seq = 1; seq <= 66; ++seq) Incr(seq);
  EXPECT_EQ(StoredReplies(), 64u);
  EXPECT_EQ(Incr(2).code, BatchCode::kTrimmed);
  EXPECT_EQ(Incr(3).code, BatchCode::kExecuted);
}

TEST_F(SessionsTest, TheWindowIsBoundedInBytesButKeepsTheNewestWhole) {
  std::string megabyte(1 << 20, 'x');
  std::string set = "SET big " + megabyte;
  Send({.session = session_, .seq = 1}, {CommandOp(set)});
  auto getset = CommandOp("GETSET big x");
  getset.commands[0][2] = megabyte;
  for (uint64_t seq = 2; seq <= 6; ++seq) Send({.session = session_, .seq = seq}, {getset});
  EXPECT_EQ(StoredReplies(), 3u);  // a fourth would be over 4 MiB by its head
  Send({.session = session_, .seq = 7}, std::vector<wire::Op>(6, getset));
  EXPECT_EQ(StoredReplies(), 1u);
  size_t size = bytes_.size();
  EXPECT_GT(size, size_t{6} << 20);
  Send({.session = session_, .seq = 7}, std::vector<wire::Op>(6, getset));
  EXPECT_EQ(bytes_.size(), size);
}

TEST_F(SessionsTest, AnUnknownSessionIsExpired) {
  Send({.session = session_ + 100, .seq = 1}, {CommandOp("INCR n")});
  EXPECT_EQ(reply_.code, BatchCode::kExpired);
  EXPECT_EQ(Read("GET n"), "$-1\r\n");
}

TEST_F(SessionsTest, WithoutASessionNothingIsExecuted) {
  for (wire::BatchHeader header : {wire::BatchHeader{.session = 0, .seq = 1},
                                   wire::BatchHeader{.session = session_, .seq = 0}}) {
    EXPECT_EQ(Send(header, {CommandOp("INCR n")}).code, BatchCode::kMalformed);
  }
  EXPECT_EQ(Read("GET n"), "$-1\r\n");
}

TEST_F(SessionsTest, ClosedAndExpiredOnesAreGoneWithTheirReplies) {
  for (EntryKind kind : {EntryKind::kCloseSession, EntryKind::kExpireSessions}) {
    Incr(1);
    Incr(2);
    EXPECT_EQ(StoredReplies(), 2u);
    log_.Add(kind, EncodeSessions({session_, 12345}));
    EXPECT_EQ(Apply(), "");
    EXPECT_EQ(StoredReplies(), 0u);
    EXPECT_EQ(replica_.state().stats().sessions, 0u);
    EXPECT_TRUE(replica_.state().OpenSessions()->empty());
    EXPECT_EQ(Incr(3).code, BatchCode::kExpired);
    EXPECT_EQ(Incr(1).code, BatchCode::kExpired);
    OpenSession();
  }
}

TEST_F(SessionsTest, ClosingInTheApplyThatUsedItLeavesNothing) {
  uint64_t opened = log_.Add(EntryKind::kOpenSession);
  log_.Batch({.session = opened, .seq = 1}, {CommandOp("INCR n")});
  log_.Add(EntryKind::kCloseSession, EncodeSessions({opened}));
  replica_.CatchUp(log_.log(), 3);
  EXPECT_EQ(StoredReplies(), 0u);
  EXPECT_EQ(replica_.state().OpenSessions()->size(), 1u);  // SetUp's
}

TEST_F(SessionsTest, ListsTheNewestBatches) {
  Incr(1);
  Incr(2);
  auto sessions = replica_.state().OpenSessions();
  ASSERT_TRUE(sessions.ok());
  ASSERT_EQ(sessions->size(), 1u);
  EXPECT_EQ(sessions->front().session, session_);
  EXPECT_EQ(sessions->front().last, 2u);
}

TEST_F(SessionsTest, TheirNumberIsBounded) {
  for (size_t i = 1; i < kMaxSessions; ++i) log_.Add(EntryKind::kOpenSession);
  replica_.CatchUp(log_.log(), 1000);
  EXPECT_EQ(OpenSession(), 0u);
}

TEST_F(SessionsTest, AMalformedBodyTakesItsNumber) {
  std::string batch = EncodedBatch({.session = session_, .seq = 1}, {CommandOp("INCR n")});
  log_.Add(EntryKind::kBatch, batch.substr(0, batch.size() - 1));
  auto reply = wire::DecodeBatchReply(Apply());
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->code, BatchCode::kMalformed);
  EXPECT_EQ(reply->seq, 1u);
  EXPECT_EQ(Incr(1).code, BatchCode::kMalformed);  // a repeat, also of another content
  EXPECT_EQ(Incr(2).results[0].reply, ":1\r\n");
}

}  // namespace
}  // namespace kdb::kv

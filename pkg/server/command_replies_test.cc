#include "pkg/server/command_replies.h"

#include <gtest/gtest.h>

#include <barrier>
#include <thread>

#include "pkg/net/fixture_test.h"

namespace kdb::server {
namespace {

using shardpb::CommandsReply;

class CommandRepliesTest : public ::testing::Test {
 protected:
  CommandRepliesTest() {
    net::RawSocket listening;
    connection_ = net::Connection::Dial(loop_.io(), net::OnLoopback(listening.Listen()),
                                        net::Service::kCommands, net::Recording(record_));
    peer_ = listening.Accept();
    peer_.Read(net::Preface::kBytes);
  }
  ~CommandRepliesTest() override {
    connection_->Close();
    record_->Closed().IgnoreError();
  }
  // What the peer gets. The connection fails behind it: what is queued then has a time limit.
  std::vector<CommandsReply> Received(size_t count) {
    std::vector<CommandsReply> replies(count);
    for (CommandsReply& reply : replies) {
      std::string frame = peer_.Read(net::FrameHeader::kBytes);
      if (frame.size() == net::FrameHeader::kBytes) {
        frame += peer_.Read(net::FrameHeader::Decode(frame).body_bytes);
      }
      net::Parsed parsed = net::Parse(frame);
      EXPECT_TRUE(parsed.bodies.size() == 1 && reply.ParseFromString(parsed.bodies[0]));
    }
    connection_->Fail(absl::AbortedError("done"));
    EXPECT_TRUE(net::Parse(peer_.Read()).bodies.empty());
    return replies;
  }

  net::Loop loop_{"kv"};
  net::RawSocket peer_;
  std::shared_ptr<net::Record> record_ = std::make_shared<net::Record>();
  std::shared_ptr<net::Connection> connection_;
};

TEST_F(CommandRepliesTest, LargeRepliesGoInParts) {
  std::string large(9 << 20, 'x');
  large += "end";
  CommandReplies replies(connection_);
  replies.SendWriteReply("small");
  replies.SendWriteReply(large);
  replies.SendReadReply(std::string(4 << 20, 'r'));
  std::vector<CommandsReply> got = Received(5);
  EXPECT_EQ(got[0].write_reply(), "small");
  EXPECT_EQ(got[1].part().size(), 4u << 20);
  EXPECT_TRUE(got[1].part() + got[2].part() + got[3].write_reply() == large);
  EXPECT_EQ(got[4].read_reply().size(), 4u << 20);
}

TEST_F(CommandRepliesTest, PartsOfTwoRepliesDoNotMix) {
  CommandReplies replies(connection_);
  std::barrier both(2);
  auto send = [&](char c) {
    std::string reply(5 << 20, c);
    for (int i = 0; i < 6; ++i) {
      both.arrive_and_wait();
      replies.SendReadReply(reply);
    }
  };
  std::thread a(send, 'a');
  std::thread b(send, 'b');
  std::vector<CommandsReply> got = Received(24);
  a.join();
  b.join();
  for (size_t i = 0; i < got.size(); i += 2) {
    EXPECT_EQ(got[i].part().front(), got[i + 1].read_reply().front());
    EXPECT_EQ(got[i].part().size() + got[i + 1].read_reply().size(), 5u << 20);
  }
}

// A proxy that does not read costs a bounded amount of memory.
TEST_F(CommandRepliesTest, WhoDoesNotReadIsCutOff) {
  CommandReplies replies(connection_, 1 << 20);
  std::string reply(5 << 20, 'x');
  for (int i = 0; i < 6; ++i) replies.SendReadReply(reply);
  EXPECT_EQ(record_->Closed().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace kdb::server

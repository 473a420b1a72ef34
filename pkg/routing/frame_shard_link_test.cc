// A link to a scripted kv server over real sockets on loopback.
#include "pkg/routing/frame_shard_link.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/net/listener.h"
#include "pkg/net/loop.h"
#include "proto/shard.pb.h"

namespace kdb::routing {
namespace {

using shardpb::CommandsReply;
using shardpb::CommandsRequest;

class FrameShardLinkTest : public ::testing::Test, private ShardLinkHandler {
 protected:
  // Answers each write with the replies of the script, or ends the stream with its refusal.
  class Script final : public net::Handler {
   public:
    Script(FrameShardLinkTest& test, std::shared_ptr<net::Connection> connection)
        : test_(test), connection_(std::move(connection)) {}
    absl::Status OnFrame(std::string_view body) override {
      CommandsRequest request;
      EXPECT_TRUE(request.ParseFromArray(body.data(), static_cast<int>(body.size())));
      if (request.has_hello()) test_.Note("hello of " + request.hello().client());
      if (request.kind_case() == CommandsRequest::kWriteBatch) {
        for (const CommandsReply& reply : test_.script_) connection_->Send(net::ToFrame(reply));
      }
      return test_.refusal_;
    }
    void OnClosed(const absl::Status&) override { test_.Note("closed"); }

   private:
    FrameShardLinkTest& test_;
    const std::shared_ptr<net::Connection> connection_;
  };

  FrameShardLinkTest() {
    auto accept = [this](auto connection) {
      return std::make_unique<Script>(*this, std::move(connection));
    };
    listener_ = *net::Listener::Start(
        server_loop_,
        {.address = "127.0.0.1:0", .services = {{net::Service::kCommands, accept}}, .others = {}});
  }
  ~FrameShardLinkTest() override {
    loop_.RunAndWait([&] { link_.reset(); });
    loop_.RunAndWait([] {});
  }

  void Connect() {
    loop_.RunAndWait([&] {
      factory_.SetClusterId("c1");
      link_ = factory_.Connect(7, "127.0.0.1:" + std::to_string(listener_->port()), *this);
    });
  }
  void SendWrite() {
    loop_.RunAndWait([&] { link_->SendWrite("batch"); });
  }
  void AddPart(std::string part) { script_.emplace_back().set_part(std::move(part)); }

  void Note(std::string what) {
    MutexLock lock(mu_);
    notes_.push_back(std::move(what));
    noted_.NotifyAll();
  }
  // The first `count` things that happened.
  std::vector<std::string> Notes(size_t count) {
    MutexLock lock(mu_);
    while (notes_.size() < count) noted_.Wait(mu_);
    return notes_;
  }

  void OnSessionOpened(uint64_t, uint64_t session, int64_t, std::string_view,
                       std::string_view) override {
    Note("session " + std::to_string(session));
  }
  void OnWriteReply(std::string_view reply) override {
    if (unlink_) link_.reset();
    Note("write " + std::string(reply));
  }
  void OnReadReply(std::string_view reply) override { Note("read " + std::string(reply)); }
  void OnProgress() override { ++progress_; }
  void OnLeaderChanged(std::string_view leader) override { Note("leader " + std::string(leader)); }
  void OnBroken(const absl::Status& why) override { Note("broken " + why.ToString()); }

  net::Loop loop_{"proxy"};
  net::Loop server_loop_{"kv"};
  std::vector<CommandsReply> script_;
  absl::Status refusal_;
  bool unlink_ = false;
  std::atomic<int> progress_ = 0;
  FrameShardLinkFactory factory_{loop_.io(), "p1"};
  std::unique_ptr<ShardLink> link_;
  Mutex mu_;
  CondVar noted_;
  std::vector<std::string> notes_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<net::Listener> listener_;
};

TEST_F(FrameShardLinkTest, JoinsRepliesInParts) {
  std::string part(4 << 20, 'p');
  for (int i = 0; i < 3; ++i) AddPart(part);
  script_.emplace_back().set_write_reply("end");
  AddPart("re");
  script_.emplace_back().set_read_reply("ad");
  script_.emplace_back().set_write_reply("whole");
  Connect();
  SendWrite();
  std::vector<std::string> notes = Notes(4);
  EXPECT_EQ(notes[0], "hello of p1");
  EXPECT_TRUE(notes[1] == "write " + part + part + part + "end") << notes[1].size();
  EXPECT_EQ(notes[2], "read read");
  EXPECT_EQ(notes[3], "write whole");
  EXPECT_EQ(progress_, 4);
}

TEST_F(FrameShardLinkTest, OtherRepliesMayComeBetweenParts) {
  AddPart("fr");
  script_.emplace_back().mutable_leader_changed()->set_leader_address("kv2");
  AddPart("on");
  script_.emplace_back().mutable_session_opened()->set_session(5);
  script_.emplace_back().set_write_reply("t");
  Connect();
  SendWrite();
  EXPECT_EQ(Notes(4),
            (std::vector<std::string>{"hello of p1", "leader kv2", "session 5", "write front"}));
}

TEST_F(FrameShardLinkTest, TheServersReasonBreaksIt) {
  refusal_ = absl::FailedPreconditionError("another cluster");
  Connect();
  std::vector<std::string> notes = Notes(3);
  EXPECT_EQ(std::count(notes.begin(), notes.end(), "broken FAILED_PRECONDITION: another cluster"),
            1);
}

TEST_F(FrameShardLinkTest, MayBeDestroyedWithinACall) {
  unlink_ = true;
  for (int i = 0; i < 3; ++i) script_.emplace_back().set_write_reply("reply");
  Connect();
  SendWrite();
  EXPECT_EQ(Notes(3), (std::vector<std::string>{"hello of p1", "write reply", "closed"}));
}

}  // namespace
}  // namespace kdb::routing

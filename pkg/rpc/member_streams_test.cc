// Two members of a group over real sockets on loopback.
#include "pkg/rpc/member_streams.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <sstream>
#include <thread>

#include "pkg/net/listener.h"
#include "pkg/net/loop.h"

namespace kdb::rpc {
namespace {

// Counts what it is told of peers, and does nothing.
class Node final : public raftnode::RaftNode {
 public:
  void Deliver(std::vector<raft::Message> messages) override { delivered += messages.size(); }
  void ReportUnreachable(raft::NodeId) override { ++unreachable; }
  void Propose(Payload, raftnode::ProposeDone) override {}
  void Read(raftnode::ReadDone) override {}
  void ProposeConfChange(raft::ConfChange, raft::Term, raftnode::ProposeDone) override {}
  void TransferLeader(raft::NodeId, absl::AnyInvocable<void(absl::Status)>) override {}
  void Campaign() override {}
  void HoldLog(raft::Index) override {}
  void TellStateHash(const raft::StateHash&) override {}
  raft::RaftStatus Status() const override { return {}; }

  std::atomic<size_t> delivered = 0, unreachable = 0;
};

raftnode::Identity IdentityOf(raft::NodeId id, const std::string& uuid,
                              const std::string& address) {
  catalog::BirthCertificate birth;
  birth.set_cluster_id("c1");
  birth.set_gid(7);
  for (raft::NodeId i : {1, 2}) {
    catalog::Member& member = *birth.add_members();
    member.set_id(i);
    member.set_uuid(i == id ? uuid : "u" + std::to_string(i));
    member.set_address(address);
  }
  return {.uuid = uuid, .birth = birth};
}

// One of the two, with the certificate that it holds.
class Member {
 public:
  Member(net::Loop& loop, const raftnode::Identity& identity)
      : service_(identity.uuid, obs::StreamLogger(log_)),
        group_(*identity.birth, identity.self()->id(), obs::NullLogger()),
        streams_({}, loop.io(), SelfOf(identity), service_, obs::StreamLogger(log_), metrics_) {
    group_.Connect(streams_.transport());
  }

  RaftService& service() { return service_; }
  MemberStreams& streams() { return streams_; }
  void Open() { streams_.Open(group_, node); }
  raftnode::GroupView& group() { return group_; }
  // Its lines, while no stream opens or ends.
  std::string log() const { return log_.str(); }

  Node node;

 private:
  std::ostringstream log_;
  obs::Registry metrics_;
  RaftService service_;
  raftnode::GroupView group_;
  MemberStreams streams_;
};

class MemberStreamsTest : public ::testing::Test {
 protected:
  MemberStreamsTest() {
    auto listener = net::Listener::Start(
        loop_,
        {.address = "127.0.0.1:0",
         .services = {{net::Service::kRaft,
                       [this](auto connection) { return service_->Open(connection->peer()); }}},
         .others = {}});
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  ~MemberStreamsTest() override { listener_.reset(); }

  // Member 1 sends to member 2, which holds the certificate of u1 and u2.
  void Open(const std::string& sender_uuid, const std::string& receiver_uuid = "u2") {
    receiver_.emplace(loop_, IdentityOf(2, receiver_uuid, address()));
    loop_.RunAndWait([this] { service_ = &receiver_->service(); });
    sender_.emplace(loop_, IdentityOf(1, sender_uuid, address()));
    receiver_->Open();
    sender_->Open();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(listener_->port()); }
  // Sends until `counter` rises: while a stream is down messages are dropped.
  void SendUntilRises(const std::atomic<size_t>& counter) {
    const size_t before = counter;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (counter == before) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      raft::Message heartbeat;
      heartbeat.from = 1;
      heartbeat.to = 2;
      sender_->streams().transport().Send({heartbeat});
      std::this_thread::yield();
    }
  }
  // Refused three times, each side has one line, with `why`.
  void ExpectBothLogOnce(const std::string& why) {
    for (int i = 0; i < 3; ++i) SendUntilRises(sender_->node.unreachable);
    loop_.RunAndWait([&] {
      for (const std::string& log : {receiver_->log(), sender_->log()}) {
        EXPECT_NE(log.find(why), std::string::npos) << log;
        EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
      }
    });
  }

  net::Loop loop_{"loop"};
  RaftService* service_ = nullptr;  // the receiver's; the loop's
  std::optional<Member> receiver_, sender_;
  std::unique_ptr<net::Listener> listener_;
};

TEST_F(MemberStreamsTest, AStreamThatIsOpenEndsWhenItsMemberIsRemoved) {
  Open("u1");
  SendUntilRises(receiver_->node.delivered);
  raftnode::Membership without = receiver_->group().membership();
  without.members.erase(1);
  receiver_->group().SetMembership(without);
  ExpectBothLogOnce("member 1 was removed from group 7");
}

TEST_F(MemberStreamsTest, AMemberThatCameLaterSaysWhereItIs) {
  Open("u1");
  raftnode::Membership none;
  receiver_->group().SetMembership(none);
  SendUntilRises(receiver_->node.delivered);
  EXPECT_EQ(receiver_->group().Member(1)->address(), address());
}

TEST_F(MemberStreamsTest, MessagesReachTheNode) {
  Open("u1");
  SendUntilRises(receiver_->node.delivered);
}

TEST_F(MemberStreamsTest, AnotherDirectoryIsRefusedWhateverItsCertificateSays) {
  Open("impostor");
  for (int i = 0; i < 3; ++i) SendUntilRises(sender_->node.unreachable);
  EXPECT_EQ(receiver_->node.delivered, 0u);
}

TEST_F(MemberStreamsTest, BothSidesLogARefusalOnce) {
  Open("impostor");
  for (int i = 0; i < 3; ++i) SendUntilRises(sender_->node.unreachable);
  loop_.RunAndWait([&] {
    const std::string why =
        "member 1 of group 7 is directory u1, not impostor: a new or emptied directory is a new "
        "member\n";
    EXPECT_EQ(receiver_->log(),
              "warning: refuses the raft streams of member 1 of group 7 of cluster c1 (directory "
              "impostor) from 127.0.0.1: " +
                  why);
    EXPECT_EQ(sender_->log(),
              "warning: member 2 at " + address() + " refuses raft streams: " + why);
  });
}

TEST_F(MemberStreamsTest, AMemberThatAnotherDirectoryAnswersForIsLogged) {
  Open("u1", "exchanged");
  ExpectBothLogOnce(
      "expected member 2 of group 7 of cluster c1 (directory u2), found member 2 of group 7 of "
      "cluster c1 (directory exchanged): put that member's directory back at its address");
  EXPECT_EQ(receiver_->node.delivered, 0u);
}

// A member's directory was emptied: the server at its address is passive.
TEST_F(MemberStreamsTest, AnEmptiedDirectoryIsLogged) {
  Open("u1", "emptied");
  receiver_->streams().Close();
  ExpectBothLogOnce(
      "expected member 2 of group 7 of cluster c1 (directory u2), found directory emptied, which "
      "is no member (yet): ");
}

TEST_F(MemberStreamsTest, AMemberThatIsNotBornYetIsNoConcern) {
  Open("u1");
  receiver_->streams().Close();
  for (int i = 0; i < 3; ++i) SendUntilRises(sender_->node.unreachable);
  loop_.RunAndWait([&] { EXPECT_EQ(receiver_->log() + sender_->log(), ""); });
}

TEST_F(MemberStreamsTest, NothingReachesTheNodeOnceClosed) {
  Open("u1");
  SendUntilRises(receiver_->node.delivered);
  receiver_->streams().Close();
  const size_t delivered = receiver_->node.delivered;
  SendUntilRises(sender_->node.unreachable);
  EXPECT_EQ(receiver_->node.delivered, delivered);
  receiver_->streams().Close();
}

}  // namespace
}  // namespace kdb::rpc

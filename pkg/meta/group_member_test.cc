// Members of a meta group over loopback, without their servers' services.
#include "pkg/meta/group_member.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>

#include "pkg/meta/test_cluster_test.h"
#include "pkg/net/listener.h"
#include "pkg/rpc/newcomers.h"
#include "pkg/storage/memory_engine.h"

namespace kdb::meta {
namespace {

constexpr int kMembers = 3;

std::string UuidOf(uint64_t id) { return "uuid-" + std::to_string(id); }

// What a server gives to its member, and the member while it runs.
class Host {
 public:
  Host(const std::string& dir, uint64_t id) : id_(id), raft_(UuidOf(id), obs::NullLogger()) {
    options_.data_dir = dir;
    options_.raft.tick = std::chrono::milliseconds(20);
    options_.raft.disk.min_free_bytes = 0;
    options_.raft.wal.segment_bytes = 1 << 20;
    options_.raft.log_keep_bytes = 0;
    options_.raft.flush_log_bytes = 1 << 20;
    auto raft = [this](auto connection) { return raft_.Open(connection->peer()); };
    auto snapshots = [this](auto connection) { return snapshots_.Open(connection); };
    auto listener = net::Listener::Start(
        loop_, {.address = "127.0.0.1:0",
                .services = {{net::Service::kRaft, raft}, {net::Service::kSnapshots, snapshots}},
                .others = {}});
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  ~Host() {
    Stop();
    listener_.reset();
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(listener_->port()); }

  void Start(const catalog::BirthCertificate& birth) {
    GroupMember::Links links{
        log, hub, raft_, snapshots_, newcomers_, loop_, [this] { fetched = true; }};
    auto member = GroupMember::Start(
        options_, env_, {.kind = raftnode::ServerKind::kMeta, .uuid = UuidOf(id_), .birth = birth},
        links);
    ASSERT_TRUE(member.ok()) << member.status();
    member_ = *std::move(member);
  }
  void Stop() { member_.reset(); }

  CatalogLog log;
  StateHub hub;
  std::atomic<bool> fetched = false;

 private:
  const uint64_t id_;
  const std::unique_ptr<FileSystem> fs_ = NewPosixFileSystem();
  SystemClock clock_;
  obs::Registry metrics_;
  const Environment env_{
      .fs = *fs_,
      .clock = clock_,
      .metrics = metrics_,
      .logger = obs::NullLogger(),
      .open_engine =
          [this](const std::string& dir) { return storage::OpenMemoryEngine(*fs_, dir); },
      .on_fatal = [](const absl::Status& status) { ADD_FAILURE() << status; },
      .seed = SystemSeed()};
  GroupMember::Options options_;
  rpc::AdminNewcomers newcomers_;
  net::Loop loop_{"raft"};
  rpc::RaftService raft_;
  rpc::SnapshotService snapshots_;
  std::unique_ptr<net::Listener> listener_;
  std::unique_ptr<GroupMember> member_;
};

class GroupMemberTest : public ::testing::Test {
 protected:
  GroupMemberTest() {
    birth_.set_cluster_id("c1");
    birth_.add_hash_seed(1);
    birth_.add_hash_seed(2);
    for (uint64_t id = 1; id <= kMembers; ++id) {
      Host& host = hosts_[id - 1].emplace(dir_ / std::to_string(id), id);
      catalog::Member& member = *birth_.add_members();
      member.set_id(id);
      member.set_uuid(UuidOf(id));
      member.set_address(host.address());
    }
    for (auto& host : hosts_) host->Start(birth_);
  }

  Host& Leader() {
    Host* leader = nullptr;
    Eventually("a leader", [&] {
      for (auto& host : hosts_) {
        if (host->log.IsLeader()) leader = &*host;
      }
      return leader != nullptr;
    });
    return *leader;
  }
  // Logs a group whose servers have long names.
  void Register(uint64_t gid, size_t bytes) {
    metalog::Command command;
    command.mutable_register_group()->set_gid(gid);
    catalog::Member& member = *command.mutable_register_group()->add_members();
    member.set_id(1);
    member.set_uuid(std::to_string(gid));
    member.set_address("kv-" + std::to_string(gid) + ":1");
    member.set_name(std::string(bytes, 'n'));
    Eventually("the command", [&] {
      const SteadyTime deadline = std::chrono::steady_clock::now() + kPatience;
      return Leader().log.Propose(command, deadline).ok();
    });
  }

  testing::TemporaryDirectory dir_;
  catalog::BirthCertificate birth_;
  std::array<std::optional<Host>, kMembers> hosts_;
};

TEST_F(GroupMemberTest, OneThatIsFarBehindStartsAgainOnASnapshot) {
  Register(1, 10);
  Host* const behind = &Leader() == &*hosts_[0] ? &*hosts_[1] : &*hosts_[0];
  behind->Stop();
  // So much that the others cut their logs.
  for (uint64_t gid = 2; gid < 12; ++gid) Register(gid, 1 << 20);
  behind->Start(birth_);
  Eventually("a snapshot", [&] { return behind->fetched.load(); });
  behind->Stop();
  behind->Start(birth_);
  EXPECT_GE(behind->hub.Latest()->catalog().groups_size(), 2);  // of its log it had the first alone
  Register(12, 10);
  Eventually("the last group", [&] { return behind->hub.Latest()->catalog().groups_size() == 12; });
}

}  // namespace
}  // namespace kdb::meta

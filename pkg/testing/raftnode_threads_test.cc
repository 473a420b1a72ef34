// RaftNode on real threads, for ThreadSanitizer: callers, roles and peers at once, and an end in
// the middle of it.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/env/memory_file_system.h"
#include "pkg/raftnode/raft_node.h"
#include "pkg/testing/list_machine.h"

namespace kdb::testing {
namespace {

using raftnode::RaftNode;

// Hands messages straight to the peers.
class Exchange {
 public:
  void Attach(raft::NodeId id, RaftNode* node) {
    MutexLock lock(mu_);
    nodes_[id] = node;
  }
  void Send(std::vector<raft::Message> messages) {
    MutexLock lock(mu_);
    for (raft::Message& m : messages) {
      RaftNode* to = nodes_[m.to];
      if (to != nullptr) to->Deliver({std::move(m)});
    }
  }

 private:
  Mutex mu_;
  std::map<raft::NodeId, RaftNode*> nodes_ ABSL_GUARDED_BY(mu_);
};

class Member final : public raftnode::Transport, public raftnode::Observer {
 public:
  Member(Exchange& exchange, raft::NodeId id) : machine(disk), exchange_(exchange) {
    raftnode::Options options;
    options.wal_dir = "/wal";
    options.wal.segment_bytes = 1 << 20;
    options.tick = std::chrono::milliseconds(20);
    options.flush_log_bytes = 1 << 14;
    options.log_keep_bytes = 1 << 14;
    options.log_cache_bytes = 1 << 12;
    raftnode::Membership birth;
    birth.conf.voters = {1, 2, 3};
    auto started = RaftNode::Start(options, id, birth, fs, {*raft, *log, *apply, *background},
                                   machine, *this, *this, clock, Random(id), metrics);
    EXPECT_TRUE(started.ok()) << started.status();
    node = *std::move(started);
    exchange_.Attach(id, node.get());
  }

  void SetPeers(std::vector<raftnode::Peer>, raft::Index) override {}
  void Send(std::vector<raft::Message> messages) override { exchange_.Send(std::move(messages)); }
  void OnLeadership(raft::Role role, raft::Term, raft::NodeId) override {
    leads = role == raft::Role::kLeader;
  }
  void OnPeerClock(raft::NodeId, int64_t) override {}
  void OnMembership(const raftnode::Membership&) override {}
  void OnSnapshotNeeded(std::optional<raft::Index>) override {}
  void OnFatal(const absl::Status& status) override { ADD_FAILURE() << status; }
  void OnDegraded(bool, const std::string&) override {}
  void OnDisk(const raftnode::DiskStatus&) override {}

  MemoryFileSystem fs;
  SystemClock clock;
  obs::Registry metrics;
  ListDisk disk;
  ListMachine machine;
  std::unique_ptr<Executor> raft = NewThreadExecutor("raft");
  std::unique_ptr<Executor> log = NewThreadExecutor("log");
  std::unique_ptr<Executor> apply = NewThreadExecutor("apply");
  std::unique_ptr<Executor> background = NewThreadExecutor("background");
  std::atomic<bool> leads = false;
  std::unique_ptr<RaftNode> node;

 private:
  Exchange& exchange_;
};

TEST(RaftNodeThreads, CallersRolesAndPeersAtOnce) {
  Exchange exchange;
  std::vector<std::unique_ptr<Member>> members;
  for (raft::NodeId id : {1, 2, 3}) members.push_back(std::make_unique<Member>(exchange, id));

  constexpr int kCallers = 4;
  constexpr int kEach = 300;
  std::atomic<int> written = 0;
  std::atomic<int> answered = 0;
  auto call = [&] {
    for (int done = 0; done < kEach;) {
      for (auto& m : members) {
        if (!m->leads) continue;
        std::atomic<int> waiting = 2;
        std::atomic<bool> ok = false;
        m->node->Propose(Payload(std::string(100, 'x')), [&](absl::StatusOr<Payload> r) {
          ok = r.ok();
          --waiting;
          waiting.notify_one();
        });
        m->node->Read([&](absl::Status) {
          --waiting;
          waiting.notify_one();
        });
        for (int w = waiting; w > 0; w = waiting) waiting.wait(w);
        done += ok;
        written += ok;
      }
      std::this_thread::yield();
    }
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) callers.emplace_back(call);
  for (std::thread& t : callers) t.join();
  EXPECT_EQ(written, kCallers * kEach);

  // The end, with work under way: every callback comes.
  constexpr int kLast = 200;
  for (int i = 0; i < kLast; ++i) {
    for (auto& m : members)
      m->node->Propose(Payload("x"), [&](absl::StatusOr<Payload>) { ++answered; });
  }
  for (raft::NodeId id : {1, 2, 3}) exchange.Attach(id, nullptr);
  for (auto& m : members) m->node.reset();
  EXPECT_EQ(answered, 3 * kLast);
}

}  // namespace
}  // namespace kdb::testing

// For tests: shard groups with sessions, elections and faults, on the deterministic loop. What a
// group promises to proxies (design 4) and no more: messages of a stream come in order or not at
// all, an unanswered batch was executed or not, a proposal of a deposed leader may still be.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pkg/routing/shard_link.h"
#include "pkg/shard/slot.h"
#include "pkg/testing/sim_loop.h"
#include "pkg/wire/batch.h"

namespace kdb::routing {

struct ModelFaults {
  uint64_t break_link_one_in = 0;   // messages, either way; 0: never
  uint64_t busy_one_in = 0;         // batches
  bool disk_full = false;           // a quarter of the busy answers say so
  uint64_t large_reply_one_in = 0;  // riding reads answered by_index
  bool full_read_batches = false;   // other reads, too
};

class ModelLink;

// One group: its replicated state, and which of its members leads.
class ModelGroup {
 public:
  ModelGroup(uint64_t gid, std::vector<std::string> members, testing::SimLoop& loop,
             const ModelFaults& faults)
      : gid_(gid), members_(std::move(members)), loop_(loop), faults_(faults) {
    leader_ = members_.front();
  }

  uint64_t gid() const { return gid_; }
  const std::string& leader() const { return leader_; }
  // Until Elect nobody leads. Proposals under way may still be executed, or not.
  void Depose();
  void Elect() { leader_ = members_[loop_.random().Uniform(members_.size())]; }
  void ForgetSessions() { sessions_.clear(); }
  void Own(shard::Slot slot, bool owned) {
    if (owned) {
      foreign_.erase(slot);
    } else {
      foreign_.insert(slot);
    }
  }
  void MoveSlot(shard::Slot slot, ModelGroup& to, uint64_t epoch);
  const std::map<std::string, std::string>& data() const { return data_; }
  uint64_t executed() const { return executed_; }

 private:
  friend class ModelLink;
  struct Session {
    uint64_t last = 0;
    std::map<uint64_t, std::string> replies;
    std::set<shard::Slot> refused;  // answered moved or frozen, until a resume
  };
  struct Forward {
    uint64_t gid;
    uint64_t epoch;
  };

  uint64_t NewSession() {
    sessions_[++next_session_];
    return next_session_;
  }
  // An entry of the log is applied: the answer.
  std::string Apply(const std::string& bytes);
  std::string Read(uint64_t id, const std::string& bytes);
  void Run(const wire::Op& op, Session* session, wire::BatchReplyBuilder& reply);
  std::string Command(const wire::CommandArgs& args);
  int64_t LogTime() const {
    return 1'000'000 + std::chrono::duration_cast<std::chrono::milliseconds>(loop_.Now()).count();
  }

  const uint64_t gid_;
  const std::vector<std::string> members_;
  testing::SimLoop& loop_;
  const ModelFaults& faults_;
  std::string leader_;  // empty: none
  uint64_t term_ = 1;
  uint64_t next_session_ = 100;
  std::map<uint64_t, Session> sessions_;
  std::map<std::string, std::string> data_;
  std::set<shard::Slot> foreign_;           // not owned
  std::map<shard::Slot, Forward> forward_;  // handed off
  uint64_t executed_ = 0;
};

// Links with delays and faults to model groups.
class ModelLinks final : public ShardLinkFactory {
 public:
  ModelLinks(testing::SimLoop& loop, Executor& executor, const ModelFaults& faults)
      : loop_(loop), executor_(executor), faults_(faults) {}

  ModelGroup& Add(uint64_t gid, std::vector<std::string> members) {
    groups_[gid] = std::make_unique<ModelGroup>(gid, std::move(members), loop_, faults_);
    return *groups_[gid];
  }
  std::unique_ptr<ShardLink> Connect(uint64_t gid, const std::string& address,
                                     ShardLinkHandler& handler) override;

 private:
  testing::SimLoop& loop_;
  Executor& executor_;
  const ModelFaults& faults_;
  std::map<uint64_t, std::unique_ptr<ModelGroup>> groups_;
};

}  // namespace kdb::routing

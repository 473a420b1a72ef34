// The leader's work on its group's members: carries out the calls that change them, tells servers
// that they are members, and makes learners voters when they have caught up. All from replicated
// state: a new leader goes on where the old one fell.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "pkg/base/gated_executor.h"
#include "pkg/base/mutex.h"
#include "pkg/base/periodic.h"
#include "pkg/raftnode/catch_up.h"
#include "pkg/raftnode/group_view.h"
#include "pkg/raftnode/member_plan.h"
#include "pkg/raftnode/raft_node.h"

namespace kdb::raftnode {

// How servers are spoken to that are not members yet. Calls block for a second or so at most.
class Newcomers {
 public:
  virtual ~Newcomers() = default;
  virtual absl::StatusOr<Newcomer> Identify(const std::string& address) = 0;
  virtual absl::Status AcceptBirth(const std::string& address,
                                   const catalog::BirthCertificate& certificate) = 0;
};

// Thread-safe.
class MemberKeeper {
 public:
  static constexpr std::chrono::milliseconds kLookEvery{100};
  static constexpr std::chrono::milliseconds kTellAgainAfter{500};
  static constexpr size_t kMaxCalls = 16;  // under way; more are RESOURCE_EXHAUSTED

  // All outlive the keeper, but for `node` and `group`, which are not used after Close.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): nothing but references
  struct Parts {
    const catalog::BirthCertificate& birth;
    RaftNode& node;
    GroupView& group;
    Newcomers& newcomers;
    Executor& executor;  // may be held up by Newcomers
    const Clock& clock;
    obs::Logger logger;
    Clock::Duration election_timeout;
  };
  explicit MemberKeeper(const Parts& parts);
  ~MemberKeeper();
  // Waits for what runs. Calls that wait get UNAVAILABLE, at the latest when the node goes.
  void Close();

  // The member's id when the change is logged, or was before; errors as of member_plan.h, also
  // NotLeader, INVALID_ARGUMENT without an address, UNAVAILABLE when a repeat of the call makes
  // sense. What follows (catching up, the promotion) shows in List. `done` runs on any thread.
  using Done = absl::AnyInvocable<void(absl::StatusOr<raft::NodeId>)>;
  void Add(const std::string& address, Done done);
  void Replace(raft::NodeId id, const std::string& address, Done done);
  void Remove(raft::NodeId id, Done done);
  void Update(raft::NodeId id, const std::string& address, Done done);

  // OK: this is the group that a call is meant for. UNIMPLEMENTED: it is to be found
  // elsewhere. An empty cluster id is any.
  absl::Status CheckGroup(const std::string& cluster_id, uint64_t gid) const;

  struct List {
    Membership membership;
    raft::RaftStatus status;
    std::map<raft::NodeId, std::string> waits_for;  // what keeps a learner from being a voter
  };
  // NotLeader on a node that does not lead.
  absl::StatusOr<List> Members() const;
  const catalog::BirthCertificate& birth() const { return parts_.birth; }

 private:
  using Heard = absl::StatusOr<Newcomer>;
  using Planner = absl::AnyInvocable<absl::StatusOr<Plan>(const Situation&, const Heard&)>;
  class Call;

  // `address`: who is asked for its identity; empty: nobody. `planner` runs on the executor, once
  // all earlier changes are known here.
  void Start(const std::string& address, Planner planner, Done done);
  void PlanAndPropose(const std::shared_ptr<Call>& call);
  Situation Now() const;
  absl::Status NotTheLeader() const;
  // True: another one leads soon, and the change is left to it.
  bool HandOver(const Situation& now, const Plan& plan);

  absl::Status Considered(const Situation& now, const absl::Status& refusal) const;

  // On the executor, all below.
  void Look();
  // Says so, once in a leadership.
  void NoteSuspect(raft::NodeId id);
  void LookAt(const Situation& now, const catalog::Member& member);
  absl::Status Tell(const catalog::Member& member);
  absl::Status Promote(const Situation& now, raft::NodeId id);

  const Parts parts_;
  raft::Term term_ = 0;  // of the leadership that the next are about
  Clock::Duration leads_since_{0};
  struct Learner {
    explicit Learner(Clock::Duration max_round) : catch_up(max_round) {}
    CatchUp catch_up;
    bool told = false;
    Clock::Duration tell_at{0};
    absl::Status trouble;  // of telling it
  };
  std::map<raft::NodeId, Learner> learners_;
  std::set<raft::NodeId> suspects_;

  // Under way. Shared with them.
  const std::shared_ptr<std::atomic<size_t>> calls_ = std::make_shared<std::atomic<size_t>>(0);

  mutable Mutex mu_;
  std::map<raft::NodeId, std::string> waits_for_ ABSL_GUARDED_BY(mu_);

  GatedExecutor gate_;
  std::unique_ptr<Periodic> look_;
};

}  // namespace kdb::raftnode

#include "pkg/raftnode/member_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pkg/base/status.h"
#include "pkg/raft/conf_change.h"
#include "pkg/raftnode/not_leader.h"

namespace kdb::raftnode {
namespace {

std::string Text(const absl::Status& status) { return std::string(status.message()); }

const raft::ProgressStatus* FindProgress(const raft::RaftStatus& status, raft::NodeId id) {
  for (const raft::ProgressStatus& p : status.progress) {
    if (p.id == id) return &p;
  }
  return nullptr;
}

absl::Status NoAddress() {
  return absl::InvalidArgumentError("the member's address is missing: host:port");
}

// The best of the voters that stay.
raft::NodeId Successor(const Situation& now, const raft::ConfState& after) {
  const raft::ProgressStatus* best = nullptr;
  for (const raft::ProgressStatus& p : now.status.progress) {
    if (p.id == now.status.id || !p.may_lead) continue;
    if (!raft::IsVoter(now.membership.conf, p.id) || !raft::IsVoter(after, p.id)) continue;
    if (best == nullptr || p.match > best->match) best = &p;
  }
  return best == nullptr ? raft::kNoNode : best->id;
}

}  // namespace

// A call under way. It is answered once, also when what would have answered it is dropped, which
// may be after the keeper is gone.
class MemberKeeper::Call {
 public:
  Call(std::shared_ptr<std::atomic<size_t>> calls, Planner planner, Done done)
      : planner(std::move(planner)), calls_(std::move(calls)), done_(std::move(done)) {}
  ~Call() {
    if (done_) Give(absl::UnavailableError("this server is stopping"));
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  void Give(absl::StatusOr<raft::NodeId> result) {
    calls_->fetch_sub(1);
    std::exchange(done_, nullptr)(std::move(result));
  }

  Planner planner;
  Heard heard = Newcomer{};

 private:
  const std::shared_ptr<std::atomic<size_t>> calls_;
  Done done_;
};

MemberKeeper::MemberKeeper(const Parts& parts)
    : parts_(parts),
      gate_(parts.executor),
      look_(std::make_unique<Periodic>(parts.executor, kLookEvery, [this] { Look(); })) {}

MemberKeeper::~MemberKeeper() { Close(); }

void MemberKeeper::Close() {
  look_.reset();
  gate_.Close();
}

absl::Status MemberKeeper::CheckGroup(const std::string& cluster_id, uint64_t gid) const {
  const catalog::BirthCertificate& here = parts_.birth;
  const std::string& wanted = cluster_id.empty() ? here.cluster_id() : cluster_id;
  if (wanted == here.cluster_id() && gid == here.gid()) return absl::OkStatus();
  return absl::UnimplementedError(fmt::format(
      "this is a member of {} of cluster {}, not of {} of cluster {}; nothing was changed",
      GroupName(here.gid()), here.cluster_id(), GroupName(gid), wanted));
}

void MemberKeeper::Add(const std::string& address, Done done) {
  if (address.empty()) return done(NoAddress());
  Start(
      address,
      [address](const Situation& now, const Heard& heard) { return PlanAdd(now, address, heard); },
      std::move(done));
}

void MemberKeeper::Replace(raft::NodeId id, const std::string& address, Done done) {
  if (address.empty()) return done(NoAddress());
  Start(
      address,
      [id, address](const Situation& now, const Heard& heard) {
        return PlanReplace(now, id, address, heard);
      },
      std::move(done));
}

void MemberKeeper::Remove(raft::NodeId id, Done done) {
  Start(
      "", [id](const Situation& now, const Heard&) { return PlanRemove(now, id); },
      std::move(done));
}

void MemberKeeper::Update(raft::NodeId id, const std::string& address, Done done) {
  if (address.empty()) return done(NoAddress());
  Start(
      address,
      [id, address](const Situation& now, const Heard& heard) {
        return PlanUpdate(now, id, address, heard);
      },
      std::move(done));
}

void MemberKeeper::Start(const std::string& address, Planner planner, Done done) {
  if (calls_->fetch_add(1) >= kMaxCalls) {
    calls_->fetch_sub(1);
    return done(absl::ResourceExhaustedError("too many calls change the members: repeat it"));
  }
  auto call = std::make_shared<Call>(calls_, std::move(planner), std::move(done));
  gate_.Post([this, address, call] {
    if (parts_.node.Status().role != raft::Role::kLeader) return call->Give(NotTheLeader());
    if (!address.empty()) call->heard = parts_.newcomers.Identify(address);
    // Behind it all changes of earlier leaders are known here. Those of this one come from this
    // executor, in order.
    parts_.node.Read([this, call](const absl::Status& s) {
      if (!s.ok()) return call->Give(s);
      gate_.Post([this, call] { PlanAndPropose(call); });
    });
  });
}

absl::Status MemberKeeper::NotTheLeader() const {
  return NotLeader(GroupName(parts_.birth.gid()), parts_.group.LeaderAddress());
}

Situation MemberKeeper::Now() const {
  return {parts_.birth.cluster_id(), parts_.birth.gid(), parts_.group.membership(),
          parts_.node.Status()};
}

void MemberKeeper::PlanAndPropose(const std::shared_ptr<Call>& call) {
  const Situation now = Now();
  if (now.status.role != raft::Role::kLeader) return call->Give(NotTheLeader());
  absl::StatusOr<Plan> plan = call->planner(now, call->heard);
  if (!plan.ok()) return call->Give(Considered(now, plan.status()));
  if (!plan->change.has_value()) return call->Give(plan->id);
  if (HandOver(now, *plan)) {
    return call->Give(absl::UnavailableError(
        fmt::format("member {} leads {} and hands that over first: repeat the call", plan->id,
                    GroupName(now.gid))));
  }
  parts_.logger->info("{}: change of member {}", GroupName(now.gid), plan->id);
  parts_.node.ProposeConfChange(
      *std::move(plan->change), now.status.term,
      [id = plan->id, call](const absl::StatusOr<Payload>& r) {
        if (r.ok()) return call->Give(id);
        // It may be logged all the same: who repeats the call finds out.
        const bool unknown = absl::IsAborted(r.status());
        call->Give(unknown ? absl::UnavailableError(r.status().message()) : r.status());
      });
}

// A new leader has heard of nobody yet, and takes all for dead.
absl::Status MemberKeeper::Considered(const Situation& now, const absl::Status& refusal) const {
  const bool known = now.status.term == term_ &&
                     parts_.clock.Monotonic() - leads_since_ >= parts_.election_timeout;
  if (known || !absl::IsFailedPrecondition(refusal)) return refusal;
  return absl::UnavailableError(fmt::format(
      "the leader is new: repeat the call when it knows the members ({})", Text(refusal)));
}

// A leader that is removed steps down when that is committed, and its group waits for an election;
// a transfer is sooner.
bool MemberKeeper::HandOver(const Situation& now, const Plan& plan) {
  absl::StatusOr<raft::ConfState> after = raft::Changed(now.membership.conf, *plan.change);
  if (!after.ok()) return false;
  const auto& voters = after->voters;
  if (std::binary_search(voters.begin(), voters.end(), now.status.id)) return false;
  const raft::NodeId successor = Successor(now, *after);
  if (successor == raft::kNoNode) return false;
  parts_.node.TransferLeader(successor, [](const absl::Status&) {});
  return true;
}

absl::StatusOr<MemberKeeper::List> MemberKeeper::Members() const {
  Situation now = Now();
  if (now.status.role != raft::Role::kLeader) return NotTheLeader();
  MutexLock lock(mu_);
  return List{std::move(now.membership), std::move(now.status), waits_for_};
}

void MemberKeeper::Look() {
  const Situation now = Now();
  const bool leads = now.status.role == raft::Role::kLeader;
  if (!leads || now.status.term != term_) {
    learners_.clear();
    suspects_.clear();
    leads_since_ = parts_.clock.Monotonic();
    MutexLock lock(mu_);
    waits_for_.clear();
  }
  term_ = now.status.term;
  if (!leads) return;
  for (const raft::ProgressStatus& p : now.status.progress) {
    if (p.suspect) NoteSuspect(p.id);
  }
  std::erase_if(learners_,
                [&](const auto& l) { return !raft::IsLearner(now.membership.conf, l.first); });
  for (raft::NodeId id : now.membership.conf.learners) {
    auto it = now.membership.members.find(id);
    if (it != now.membership.members.end()) LookAt(now, it->second);
  }
  MutexLock lock(mu_);
  std::erase_if(waits_for_, [&](const auto& w) { return !learners_.contains(w.first); });
}

void MemberKeeper::NoteSuspect(raft::NodeId id) {
  if (!suspects_.insert(id).second) return;
  const uint64_t gid = parts_.birth.gid();
  parts_.logger->error(
      "member {} of {} lost entries that it had acknowledged: it is not counted. Replace it: "
      "kdbctl "
      "member replace {} {}",
      id, GroupName(gid), gid, id);
}

void MemberKeeper::LookAt(const Situation& now, const catalog::Member& member) {
  const raft::NodeId id = member.id();
  Learner& learner = learners_.try_emplace(id, parts_.election_timeout).first->second;
  std::string waits_for;
  if (absl::Status told = Tell(member); !told.ok()) {
    waits_for = fmt::format("it has no certificate yet: {}", Text(told));
  } else if (const raft::ProgressStatus* progress = FindProgress(now.status, id)) {
    const raft::Index last = now.status.last_index;
    if (learner.catch_up.Observe(*progress, last, parts_.clock.Monotonic())) {
      waits_for = Text(Promote(now, id));
    } else {
      waits_for =
          fmt::format("it catches up: has {} of {} entries", std::min(progress->match, last), last);
      if (!progress->recent_active) {
        waits_for += fmt::format(
            ", and was not heard of lately: start its server on its directory {}, or remove it",
            member.uuid());
      }
    }
  }
  MutexLock lock(mu_);
  waits_for_[id] = std::move(waits_for);
}

absl::Status MemberKeeper::Tell(const catalog::Member& member) {
  Learner& learner = learners_.at(member.id());
  const Clock::Duration now = parts_.clock.Monotonic();
  if (learner.told || now < learner.tell_at) return learner.trouble;
  learner.tell_at = now + kTellAgainAfter;
  learner.trouble =
      parts_.newcomers.AcceptBirth(member.address(), CertificateOf(parts_.birth, member));
  learner.told = learner.trouble.ok();
  if (learner.told) {
    parts_.logger->info("the server at {} knows that it is member {} of {}", member.address(),
                        member.id(), GroupName(parts_.birth.gid()));
  }
  return learner.trouble;
}

absl::Status MemberKeeper::Promote(const Situation& now, raft::NodeId id) {
  KDB_ASSIGN_OR_RETURN(Plan plan, PlanPromotion(now, id));
  if (HandOver(now, plan)) return absl::UnavailableError("leadership is handed over first");
  parts_.logger->info("{}: member {} has caught up, becomes a voter", GroupName(now.gid), id);
  // A refusal (a change is under way) is tried again at the next look.
  parts_.node.ProposeConfChange(*std::move(plan.change), now.status.term,
                                [](const absl::StatusOr<Payload>&) {});
  return absl::UnavailableError("it has caught up");
}

}  // namespace kdb::raftnode

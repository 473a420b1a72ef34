#include "pkg/testing/raft_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "pkg/base/check.h"
#include "pkg/base/status.h"

namespace kdb::testing {
namespace {

constexpr std::chrono::seconds kPatience{20};
constexpr int64_t kEpochMs = 1'700'000'000'000;

const prometheus::ClientMetric* FindMetric(const std::vector<prometheus::MetricFamily>& families,
                                           const std::string& name) {
  for (const prometheus::MetricFamily& family : families) {
    if (family.name == name) return &family.metric.front();
  }
  KDB_CHECK(false, "no metric {}", name);
}

}  // namespace

RaftMember::RaftMember(SimLoop& loop, SimRaftNetwork& network, raft::NodeId id,
                       const catalog::BirthCertificate& birth, const raftnode::Options& options)
    : clock(loop, kEpochMs),
      options(options),
      raft_executor(loop.NewExecutor("raft")),
      log_executor(loop.NewExecutor("log")),
      apply_executor(loop.NewExecutor("apply")),
      background_executor(loop.NewExecutor("background")),
      members_executor(loop.NewExecutor("members")),
      group(birth, id, obs::NullLogger()),
      loop_(loop),
      network_(network),
      id_(id),
      birth_(birth),
      transport_(network.Connect(id)) {
  // A disk and a state machine that take their time: what comes meanwhile piles up.
  log_executor->SetLatency(std::chrono::microseconds(200), std::chrono::milliseconds(2));
  apply_executor->SetLatency(std::chrono::microseconds(0), std::chrono::microseconds(200));
}

RaftMember::~RaftMember() { Stop(); }

absl::Status RaftMember::Start() {
  machine_ = std::make_unique<ListMachine>(disk);
  const raftnode::Membership born = raftnode::BirthMembership(birth_);
  const raftnode::Membership& applied = disk.applied.membership;
  group.SetMembership(applied.conf.voters.empty() ? born : applied);
  options.wal.seed = loop_.random().Next() | 1;  // every life its own
  KDB_ASSIGN_OR_RETURN(
      node_, raftnode::RaftNode::Start(
                 options, id_, born, fs,
                 {*raft_executor, *log_executor, *apply_executor, *background_executor}, *machine_,
                 *transport_, *this, clock, Random(loop_.random().Next()), metrics));
  if (newcomers != nullptr) {
    keeper = std::make_unique<raftnode::MemberKeeper>(
        raftnode::MemberKeeper::Parts{.birth = birth_,
                                      .node = *node_,
                                      .group = group,
                                      .newcomers = *newcomers,
                                      .executor = *members_executor,
                                      .clock = clock,
                                      .logger = obs::NullLogger(),
                                      .election_timeout = options.tick * options.election_ticks});
  }
  network_.Attach(
      id_, [this](std::vector<raft::Message> messages) { node_->Deliver(std::move(messages)); });
  return absl::OkStatus();
}

void RaftMember::Stop() {
  network_.Attach(id_, nullptr);
  if (keeper != nullptr) keeper->Close();
  node_.reset();
  keeper.reset();
  DropTasks();
}

void RaftMember::Crash() {
  // First the disk: nothing that the destructor does reaches it.
  fs.Crash(loop_.random());
  Stop();
}

std::vector<SimExecutor*> RaftMember::executors() const {
  return {raft_executor.get(), log_executor.get(), apply_executor.get(), background_executor.get(),
          members_executor.get()};
}

void RaftMember::DropTasks() {
  role_ = raft::Role::kFollower;
  for (SimExecutor* e : executors()) e->Drop();
}

void RaftMember::Freeze() {
  for (SimExecutor* e : executors()) e->Pause();
}

void RaftMember::Thaw() {
  for (SimExecutor* e : executors()) e->Resume();
}

double RaftMember::Sum(const std::string& metric) const {
  auto families = metrics.prometheus()->Collect();
  const prometheus::ClientMetric* m = FindMetric(families, metric);
  return m->histogram.sample_sum + m->counter.value + m->gauge.value;
}

double RaftMember::Count(const std::string& metric) const {
  auto families = metrics.prometheus()->Collect();
  return static_cast<double>(FindMetric(families, metric)->histogram.sample_count);
}

void RaftMember::OnLeadership(raft::Role role, raft::Term term, raft::NodeId leader) {
  group.SetLeadership({.role = role, .term = term, .leader = leader});
  role_ = role;
  term_ = term;
}

void RaftMember::OnPeerClock(raft::NodeId peer, int64_t) { peer_clocks.push_back(peer); }

void RaftMember::OnMembership(const raftnode::Membership& membership) {
  group.SetMembership(membership);
}

void RaftMember::OnFatal(const absl::Status& status) {
  KDB_CHECK(fatal.ok(), "OnFatal twice: {}, {}", fatal.ToString(), status.ToString());
  fatal = status;
}

void RaftMember::OnDegraded(bool, const std::string& why) {
  degraded = why;
  ++degraded_changes;
}

RaftCluster::RaftCluster(uint64_t seed, int members, const raftnode::Options& options)
    : loop(seed), network(loop, seed + 1), raft_network(network, 0), options_(options) {
  birth.set_cluster_id("c1");
  birth.set_gid(1);
  for (int i = 1; i <= members; ++i) {
    catalog::Member& member = *birth.add_members();
    member.set_id(static_cast<uint64_t>(i));
    member.set_uuid(fmt::format("u{}", i));
    member.set_address(fmt::format("m{}", i));
  }
  for (const catalog::Member& member : birth.members()) AddMember(member.id(), birth);
}

RaftMember& RaftCluster::AddMember(raft::NodeId id, const catalog::BirthCertificate& certificate) {
  KDB_CHECK(id == members_.size() + 1, "member {} after {}", id, members_.size());
  members_.push_back(std::make_unique<RaftMember>(loop, raft_network, id, certificate, options_));
  return *members_.back();
}

raftnode::Options RaftCluster::DefaultOptions() {
  raftnode::Options options;
  options.wal_dir = "/data/wal";
  options.wal.segment_bytes = 1 << 16;
  return options;
}

void RaftCluster::StartAll() {
  for (auto& m : members_) {
    absl::Status s = m->Start();
    KDB_CHECK(s.ok(), "member {}: {}", m->id(), s.ToString());
  }
}

RaftMember* RaftCluster::leader() {
  RaftMember* found = nullptr;
  for (auto& m : members_) {
    if (m->leads() && (found == nullptr || m->term() > found->term())) found = m.get();
  }
  return found;
}

RaftMember& RaftCluster::AwaitLeader() { return AwaitLeaderOtherThan(raft::kNoNode); }

RaftMember& RaftCluster::AwaitLeaderOtherThan(raft::NodeId id) {
  for (SimLoop::Duration end = loop.Now() + kPatience; loop.Now() < end;) {
    RaftMember* found = leader();
    if (found != nullptr && found->id() != id && Read(*found).ok()) return *found;
    loop.RunFor(std::chrono::milliseconds(10));
  }
  KDB_CHECK(false, "no leader within {} s", kPatience.count());
}

absl::StatusOr<std::string> RaftCluster::Propose(RaftMember& member, std::string value) {
  // Shared: the answer may come after the wait was given up.
  auto result = std::make_shared<std::optional<absl::StatusOr<std::string>>>();
  member.node().Propose(Payload(std::move(value)), [result](absl::StatusOr<Payload> r) {
    if (r.ok()) {
      *result = std::string(r->view());
    } else {
      *result = r.status();
    }
  });
  if (!loop.RunUntil([&] { return result->has_value(); }, kPatience))
    return absl::DeadlineExceededError("no result");
  return **result;
}

absl::Status RaftCluster::Read(RaftMember& member) {
  auto result = std::make_shared<std::optional<absl::Status>>();
  member.node().Read([result](absl::Status s) { *result = std::move(s); });
  if (!loop.RunUntil([&] { return result->has_value(); }, kPatience))
    return absl::DeadlineExceededError("no read point");
  return **result;
}

bool RaftCluster::AwaitSameState(SimLoop::Duration limit) {
  auto same = [&] {
    std::vector<RaftMember*> running;
    for (auto& m : members_) {
      if (m->running()) running.push_back(m.get());
    }
    // Indices first: values() copies the whole list, and this runs after every step of the loop.
    for (RaftMember* m : running) {
      raft::Index applied = m->machine().applied().index;
      if (m->node().Status().commit != applied) return false;
      if (running[0]->machine().applied().index != applied) return false;
    }
    return std::all_of(running.begin(), running.end(), [&](RaftMember* m) {
      return m == running[0] || m->machine().values() == running[0]->machine().values();
    });
  };
  return loop.RunUntil(same, limit);
}

}  // namespace kdb::testing

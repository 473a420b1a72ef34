#include "pkg/server/replica.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pkg/base/coding.h"
#include "pkg/base/status.h"
#include "pkg/kv/growth.h"
#include "pkg/raftnode/hand_over.h"
#include "pkg/wire/batch.h"

namespace kdb::server {
namespace {

constexpr std::chrono::seconds kCheckHashesEvery{1};

}  // namespace

absl::StatusOr<std::unique_ptr<Replica>> Replica::Start(const ReplicaOptions& options,
                                                        const catalog::BirthCertificate& birth,
                                                        raft::NodeId self,
                                                        const ReplicaEnvironment& env) {
  std::unique_ptr<Replica> replica(new Replica(options, birth, self, env));
  KDB_RETURN_IF_ERROR(replica->Open(birth));
  return replica;
}

Replica::Replica(const ReplicaOptions& options, const catalog::BirthCertificate& birth,
                 raft::NodeId self, const ReplicaEnvironment& env)
    : options_(options),
      env_(env),
      group_(birth, self, env.logger),
      proposer_(env.clock),
      hash_check_(options.hash_check, env.executors.background, env.clock, env.logger, env.metrics,
                  ForHashCheck()),
      clock_skew_(env.metrics.AddGauge(
          "kdb_clock_skew_seconds", "Largest distance of a member's wall clock from the median")),
      refused_(
          env.metrics.AddCounter("kdb_shard_batches_refused_total",
                                 "Batches refused before the log: not leader, busy, disk full")),
      refused_growth_(env.metrics.AddCounter(
          "kdb_shard_growth_refused_total",
          "Commands refused because the group's disks are nearly full and they may need room")),
      read_latency_(env.metrics.AddLatency("kdb_shard_read_seconds",
                                           "A read batch on the leader, ReadIndex included")) {}

absl::Status Replica::Open(const catalog::BirthCertificate& birth) {
  KDB_ASSIGN_OR_RETURN(state_,
                       kv::ShardState::Open(options_.shard, birth, env_.engine, env_.metrics));
  state_->SetHashListener(&hash_check_);
  Follow(state_->applied().membership);
  group_.Connect(env_.transport);
  KDB_ASSIGN_OR_RETURN(node_, raftnode::RaftNode::Start(
                                  options_.raft, group_.self(), raftnode::BirthMembership(birth),
                                  env_.fs, env_.executors, *state_, env_.transport, *this,
                                  env_.clock, Random(env_.seed), env_.metrics));
  group_.SetReplayTarget(node_->Status().commit);
  proposer_.SetNode(node_.get());
  expire_keys_ = std::make_unique<Periodic>(env_.executors.background, options_.expire_keys_every,
                                            [this] { ExpireKeys(); });
  expire_sessions_ = std::make_unique<Periodic>(
      env_.executors.background, options_.check_sessions_every, [this] { ExpireSessions(); });
  check_hashes_ = std::make_unique<Periodic>(env_.executors.background, kCheckHashesEvery, [this] {
    node_->TellStateHash(hash_check_.Newest());
    if (leads()) hash_check_.Lead(node_->Status());
  });
  return absl::OkStatus();
}

HashCheck::Links Replica::ForHashCheck() {
  return {.propose =
              [this](kv::EntryKind kind, const std::string& body, std::function<void(bool)> done) {
                proposer_.Propose(kind, body,
                                  [done = std::move(done)](const absl::StatusOr<Payload>& result) {
                                    done(result.ok());
                                  });
              },
          .on_damage = [this](const absl::Status& why) { OnFatal(why); }};
}

Replica::~Replica() {
  check_hashes_.reset();
  hash_check_.Stop();
  expire_keys_.reset();
  expire_sessions_.reset();
  proposer_.SetNode(nullptr);
  {
    MutexLock lock(node_mu_);
    stopping_ = true;
  }
  node_.reset();
  MutexLock lock(mu_);
  while (reads_ > 0) reads_done_.Wait(mu_);
}

void Replica::Write(std::string_view batch, ReplyDone done) {
  absl::StatusOr<wire::BatchHeader> header = wire::DecodeBatchHeader(batch);
  if (!header.ok()) {
    return done(Payload(wire::BatchReplyBuilder::Refusal({.code = wire::BatchCode::kMalformed})));
  }
  std::string without_growth;
  if (no_room_.load(std::memory_order_relaxed)) {
    const size_t refused = kv::RefuseGrowth(batch, &without_growth);
    refused_growth_.Increment(static_cast<double>(refused));
    if (refused > 0) batch = without_growth;
  }
  std::string head(batch.substr(0, std::min<size_t>(batch.size(), 64)));
  proposer_.Propose(kv::EntryKind::kBatch, batch,
                    [this, head = std::move(head), seq = header->seq,
                     done = std::move(done)](absl::StatusOr<Payload> r) mutable {
                      if (r.ok() || absl::IsAborted(r.status())) return done(std::move(r));
                      done(Payload(Refusal(head, seq, r.status())));
                    });
}

std::string Replica::Refusal(std::string_view batch, uint64_t id,
                             const absl::Status& status) const {
  refused_.Increment();
  wire::BatchReply reply{.seq = id, .code = wire::BatchCode::kBusy};
  if (absl::StatusOr<wire::BatchHeader> header = wire::DecodeBatchHeader(batch); header.ok()) {
    reply.session = header->session;
  }
  std::string leader;
  if (raftnode::IsDiskFull(status)) reply.code = wire::BatchCode::kDiskFull;
  if (absl::IsFailedPrecondition(status)) {
    leader = LeaderAddress();
    reply.code = wire::BatchCode::kNotLeader;
    reply.hint = leader;
  }
  return wire::BatchReplyBuilder::Refusal(reply);
}

void Replica::OpenSession(SessionDone done) {
  proposer_.Propose(kv::EntryKind::kOpenSession, {},
                    [done = std::move(done)](absl::StatusOr<Payload> result) mutable {
                      if (!result.ok()) return done(result.status());
                      auto opened = kv::DecodeOpenedSession(result->view());
                      if (!opened.ok() || opened->session == 0) {
                        return done(absl::InternalError("the group opened no session"));
                      }
                      done(*opened);
                    });
}

void Replica::CloseSession(uint64_t session) {
  std::string body;
  AppendLittle(body, session);
  // Best effort: a session that is not closed expires.
  proposer_.Propose(kv::EntryKind::kCloseSession, body, [](absl::StatusOr<Payload>) {});
}

void Replica::OwnSlots(const kv::OwnSlots& own, absl::AnyInvocable<void(absl::Status)> done) {
  proposer_.Propose(
      kv::EntryKind::kOwnSlots, kv::EncodeOwnSlots(own),
      [done = std::move(done)](absl::StatusOr<Payload> r) mutable { done(r.status()); });
}

void Replica::TransferLeader(raft::NodeId target, absl::AnyInvocable<void(absl::Status)> done) {
  node_->TransferLeader(target, std::move(done));
}

absl::Status Replica::HandOver(std::chrono::milliseconds limit) {
  return raftnode::HandOver(*node_, limit);
}

void Replica::Follow(const raftnode::Membership& membership) {
  group_.SetMembership(membership);
  proposer_.SetVoters(membership.conf.voters);
}

void Replica::OnLeadership(raft::Role role, raft::Term term, raft::NodeId leader) {
  group_.SetLeadership({.role = role, .term = term, .leader = leader});
  bool now_leads = role == raft::Role::kLeader;
  if (now_leads && !leads()) {
    proposer_.StartLeading(state_->applied_log_time_ms());
    MutexLock lock(mu_);
    session_seen_.clear();  // silence is counted anew: the last leader's clock is not ours
  } else if (!now_leads && leads()) {
    proposer_.StopLeading();
    hash_check_.StopLeading();
  }
  leading_.store(now_leads, std::memory_order_relaxed);
  env_.on_leadership();
}

void Replica::OnPeerClock(raft::NodeId peer, int64_t wall_ms) {
  proposer_.OnPeerClock(peer, wall_ms);
}

void Replica::OnPeerHash(raft::NodeId peer, const raft::StateHash& hash) {
  if (leads()) hash_check_.OnPeerHash(peer, hash);
}

void Replica::OnMembership(const raftnode::Membership& membership) { Follow(membership); }
void Replica::OnSnapshotNeeded(std::optional<raft::Index> index) { env_.on_snapshot_needed(index); }

void Replica::OnFatal(const absl::Status& status) {
  if (!failed_.exchange(true)) env_.on_fatal(status);
}

void Replica::OnDegraded(bool degraded, const std::string& why) {
  group_.SetDegraded(degraded, why);
}

void Replica::OnDisk(const raftnode::DiskStatus& disk) {
  group_.SetDisk(disk);
  no_room_.store(disk.refuses_growth(), std::memory_order_relaxed);
}

std::string Replica::Trouble() const {
  const absl::Status ready = Ready();
  return ready.ok() ? group_.DiskTrouble() : std::string(ready.message());
}

void Replica::ExpireKeys() {
  clock_skew_.Set(static_cast<double>(proposer_.SkewMs()) / 1000);
  if (!leads() || expiring_.load()) return;
  absl::StatusOr<bool> expired = state_->HasExpired(proposer_.NowMs());
  if (!expired.ok()) return OnFatal(expired.status());
  if (!*expired) return;
  expiring_.store(true);
  proposer_.Propose(kv::EntryKind::kExpireKeys, {},
                    [this](absl::StatusOr<Payload>) { expiring_.store(false); });
}

void Replica::ExpireSessions() {
  if (!leads()) return;
  absl::StatusOr<std::vector<kv::SessionInfo>> open = state_->OpenSessions();
  if (!open.ok()) return OnFatal(open.status());
  std::vector<uint64_t> silent;
  {
    Clock::Duration now = env_.clock.Monotonic();
    std::map<uint64_t, SessionActivity> seen;
    MutexLock lock(mu_);
    for (const kv::SessionInfo& session : *open) {
      auto it = session_seen_.find(session.session);
      bool same = it != session_seen_.end() && it->second.last == session.last;
      SessionActivity activity{session.last, same ? it->second.since : now};
      if (now - activity.since >= options_.session_silence) silent.push_back(session.session);
      seen[session.session] = activity;
    }
    session_seen_.swap(seen);
  }
  if (silent.empty()) return;
  env_.logger->info("expires {} sessions silent for {} s", silent.size(),
                    options_.session_silence.count() / 1000);
  proposer_.Propose(kv::EntryKind::kExpireSessions, kv::EncodeSessions(silent),
                    [](absl::StatusOr<Payload>) {});
}

}  // namespace kdb::server

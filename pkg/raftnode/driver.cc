#include "pkg/raftnode/driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "absl/strings/cord.h"
#include "pkg/base/check.h"
#include "pkg/base/damage.h"

namespace kdb::raftnode {
namespace {

// Committed and not yet applied: beyond, the core hands out no more and the leader takes no more
// proposals.
constexpr size_t kMaxApplyQueueBytes = 32 << 20;
// The payload that tells a full disk from other reasons to refuse.
constexpr char kDiskFullPayload[] = "kdb-disk-full";

absl::Status DiskFull(const std::string& why) {
  absl::Status status = absl::ResourceExhaustedError(fmt::format("disk full: {}", why));
  status.SetPayload(kDiskFullPayload, absl::Cord());
  return status;
}

raft::Config CoreConfig(const Options& options, raft::NodeId id) {
  raft::Config config;
  config.id = id;
  config.max_applying_bytes = kMaxApplyQueueBytes;
  config.election_ticks = options.election_ticks;
  config.heartbeat_ticks = options.heartbeat_ticks;
  return config;
}

LogBudget MakeBudget(const Options& options, const wal::Recovered& recovered, raft::Index applied,
                     Clock::Duration now) {
  return LogBudget({options.log_keep_bytes, options.log_hold_bytes, options.flush_log_bytes,
                    options.flush_interval},
                   recovered.first_index, recovered.last_index, applied, now);
}

Clock::Duration ElectionTimeout(const Options& options) {
  return options.tick * options.election_ticks;
}

}  // namespace

Driver::Driver(const Parts& parts, std::unique_ptr<wal::Wal> log, const wal::Recovered& recovered,
               const StartPoint& start, Random random)
    : options_(parts.options),
      clock_(parts.clock),
      observer_(parts.observer),
      log_(std::move(log)),
      metrics_(parts.metrics),
      admission_(options_.max_mailbox),
      sender_(parts.transport, clock_),
      raft_role_(parts.executors.raft),
      log_role_(parts.executors.log),
      apply_role_(parts.executors.apply),
      background_role_(parts.executors.background),
      mailbox_(raft_role_, [this] { Drain(); }),
      cache_(*log_, recovered.first_index, recovered.last_index, options_.log_cache_bytes,
             [this](const LogCache::DiskRead& request) { ReadDisk(request); }),
      writer_(*log_, log_role_, sender_, *this, clock_, metrics_, options_.mark_after),
      applier_(parts.machine, apply_role_, *this, clock_, metrics_),
      maintenance_(options_, parts.machine, parts.fs, background_role_, *this, metrics_, *log_,
                   MakeBudget(options_, recovered, start.initial.applied, clock_.Monotonic())),
      raft_(CoreConfig(options_, parts.id), start.initial, cache_, random),
      reads_(clock_, metrics_),
      transfers_(3 * ElectionTimeout(options_)),
      noted_applied_(start.initial.applied),
      feed_({raft_, applier_, proposals_, maintenance_, clock_, metrics_, observer_},
            start.initial.applied, start.membership) {
  Publish();
}

Driver::~Driver() {
  raft_role_.Close();
  background_role_.Close();
  log_role_.Close();
  apply_role_.Close();
  writer_.MarkCleanly();
  absl::Status aborted = absl::AbortedError("the node stopped: outcome unknown");
  absl::Status unavailable = absl::UnavailableError("the node stopped");
  Inbox inbox = mailbox_.Take();
  for (Proposal& p : inbox.proposals) p.done(aborted);
  inbox.proposals.clear();
  Refuse(std::move(inbox), unavailable);
  FailPending(aborted, unavailable);
  applier_.FailAll();
}

void Driver::Start() {
  raft_role_.Post([this] {
    next_tick_ = clock_.Monotonic() + options_.tick;
    raft_role_.PostAfter(options_.tick, [this] { Tick(); });
    NoteLeadership();
    ProcessReady();
  });
}

raft::RaftStatus Driver::Status() const {
  MutexLock lock(status_mu_);
  return status_;
}

void Driver::PostEvent(Task event) {
  mailbox_.Add([&](Inbox& inbox) { inbox.events.push_back(std::move(event)); });
}

void Driver::OnPersisted(uint64_t seq) {
  PostEvent([this, seq] {
    writer_.Persisted(seq);
    cache_.Persisted(seq);
    raft_.Persisted(seq);
    CheckStall(clock_.Monotonic());
  });
}

// The core hears of it at its next turn, a tick away at most: only one that holds entries back, for
// too many wait, is woken up.
void Driver::OnApplied(raft::Index) {
  if (applier_.queued_bytes() >= kMaxApplyQueueBytes / 4) PostEvent([] {});
}

void Driver::NoteApplied() {
  raft::Index applied = applier_.applied();
  if (applied == std::exchange(noted_applied_, applied)) return;
  raft_.Applied(applied);
  if (snapshot_needed_ != 0 && applied >= snapshot_needed_) {
    snapshot_needed_ = 0;
    SetTrouble(Trouble::kSnapshotNeeded, "");
    observer_.OnSnapshotNeeded(std::nullopt);
  }
}

void Driver::NeedSnapshot(raft::Index index) {
  metrics_.snapshot_needed.Increment();
  snapshot_needed_ = index;
  SetTrouble(Trouble::kSnapshotNeeded,
             fmt::format("the leader's log begins behind index {}: a snapshot is needed", index));
  observer_.OnSnapshotNeeded(index);
}

void Driver::HoldLog(raft::Index index) {
  PostEvent([this, index] { maintenance_.Hold(index); });
}

void Driver::OnTrouble(Trouble trouble, std::string why) {
  PostEvent([this, trouble, why = std::move(why)] { SetTrouble(trouble, why); });
}

void Driver::OnDiskLevel(DiskLevel level, std::string text) {
  PostEvent([this, level, text = std::move(text)] {
    SetTrouble(Trouble::kDiskNearlyFull, level == DiskLevel::kFull ? text : "");
    SetTrouble(Trouble::kLogDiskLow, level == DiskLevel::kReserve ? text : "");
    sender_.SetDiskFull(level >= DiskLevel::kFull);
    room_.SetOwn(level, text);
    Publish();
  });
}

void Driver::OnFlushed(absl::StatusOr<raft::Index> persisted) {
  PostEvent([this, persisted = std::move(persisted)] {
    Cut(maintenance_.Flushed(persisted, clock_.Monotonic()));
  });
}

void Driver::OnFailed(absl::Status status) {
  PostEvent([this, status = std::move(status)] { Fail(status); });
}

void Driver::ReadDisk(const LogCache::DiskRead& request) {
  metrics_.log_disk_reads.Increment();
  // Not on the log role: a follower far behind must not slow the syncs of all others.
  background_role_.Post([this, request] {
    PostEvent(
        [this, request, entries = log_->Read(request.lo, request.hi, request.max_bytes)]() mutable {
          if (absl::Status s = cache_.OnRead(request, std::move(entries)); !s.ok()) return Fail(s);
          raft_.EntriesReady();
        });
  });
}

void Driver::Drain() {
  Inbox inbox = mailbox_.Take();
  if (!failed_) NoteApplied();
  for (Task& event : inbox.events) {
    if (!failed_) event();
  }
  inbox.events.clear();
  if (failed_) return Refuse(std::move(inbox), absl::UnavailableError("the node has failed"));
  for (ProposeDone& done : inbox.refused_proposals)
    done(absl::ResourceExhaustedError("too many proposals and reads wait"));
  for (ReadDone& done : inbox.refused_reads)
    done(absl::ResourceExhaustedError("too many proposals and reads wait"));
  Step(std::move(inbox.messages));
  for (raft::NodeId peer : inbox.unreachable) raft_.ReportUnreachable(peer);
  if (inbox.campaign) raft_.Campaign();
  for (Transfer& t : inbox.transfers) transfers_.Begin(raft_, std::move(t), clock_.Monotonic());
  Propose(std::move(inbox.proposals));
  if (!inbox.reads.empty()) applier_.ExpectReads();
  reads_.Add(std::move(inbox.reads));
  ProcessReady();
  CheckNothingLost();
}

// Behind ProcessReady: the leader is told, too.
void Driver::CheckNothingLost() {
  if (failed_ || raft_.lost() == 0) return;
  Fail(
      DamageError(fmt::format("raft log {}: it acknowledged entry {} to its leader and does not "
                              "have it: the disk lost what "
                              "it said was durable, or an older copy of the directory was put back",
                              options_.wal_dir, raft_.lost())));
}

void Driver::Refuse(Inbox inbox, const absl::Status& why) {
  for (Proposal& p : inbox.proposals) p.done(why);
  for (ProposeDone& done : inbox.refused_proposals) done(why);
  for (ReadDone& done : inbox.refused_reads) done(why);
  for (Transfer& t : inbox.transfers) t.done(why);
  FailReads(std::move(inbox.reads), why);
}

void Driver::Step(std::vector<raft::Message> messages) {
  bool disk_full = troubles_.contains(Trouble::kLogDiskFull);
  for (raft::Message& m : messages) {
    if (m.wall_ms != 0) observer_.OnPeerClock(m.from, m.wall_ms);
    if (raft::IsAnswer(m.type)) room_.OnAnswer(m.from, m.disk_full);
    if (m.state_hash.index != 0) observer_.OnPeerHash(m.from, m.state_hash);
    // It cannot be written, and what waits to be written must stay bounded. The leader sends it
    // again.
    if (disk_full && m.type == raft::MessageType::kAppend && !m.entries.empty()) {
      metrics_.dropped_messages.Increment();
      continue;
    }
    raft_.Step(std::move(m));
  }
}

bool IsDiskFull(const absl::Status& status) {
  return status.GetPayload(kDiskFullPayload).has_value();
}

absl::Status Driver::MayPropose() const {
  for (Trouble t : {Trouble::kLogDiskFull, Trouble::kLogDiskLow, Trouble::kApplyDiskFull,
                    Trouble::kFlushDiskFull}) {
    auto it = troubles_.find(t);
    if (it != troubles_.end()) return DiskFull(it->second);
  }
  if (applier_.queued_bytes() >= kMaxApplyQueueBytes)
    return absl::ResourceExhaustedError("apply lags behind the log");
  return absl::OkStatus();
}

void Driver::Refuse(Proposal& proposal, const absl::Status& why) {
  metrics_.refused_proposals.Increment();
  proposal.done(why);
}

void Driver::Propose(std::vector<Proposal> proposals) {
  if (proposals.empty()) return;
  Clock::Duration now = clock_.Monotonic();
  absl::Status may = MayPropose();
  std::vector<Proposal> run;
  for (Proposal& p : proposals) {
    metrics_.mailbox_seconds.Observe(Seconds(now - p.at));
    // A leader that has no room for data may still be repaired by a change of members.
    if (p.conf_change) {
      ProposeRun(std::exchange(run, {}));
      ProposeConfChange(std::move(p));
    } else if (!may.ok() &&
               (raft_.role() == raft::Role::kLeader || raft_.leader() == raft::kNoNode)) {
      // Without a leader, too: with every member's disk full there is none, and that is the answer.
      Refuse(p, may);
    } else {
      run.push_back(std::move(p));
    }
  }
  ProposeRun(std::move(run));
}

void Driver::ProposeRun(std::vector<Proposal> run) {
  if (run.empty()) return;
  std::vector<Payload> data;
  data.reserve(run.size());
  for (const Proposal& p : run) data.push_back(p.data);
  absl::StatusOr<raft::Index> first = raft_.Propose(std::move(data));
  if (first.ok()) {
    raft::Index index = *first;
    for (Proposal& p : run) proposals_.Add(index++, raft_.term(), std::move(p));
    return;
  }
  // Part of it may fit.
  bool split = absl::IsResourceExhausted(first.status()) && run.size() > 1;
  for (Proposal& p : run) {
    if (split) first = raft_.Propose({p.data});
    if (first.ok()) {
      proposals_.Add(*first, raft_.term(), std::move(p));
    } else {
      split = false;
      Refuse(p, first.status());
    }
  }
}

void Driver::ProposeConfChange(Proposal proposal) {
  const raft::Term term = proposal.conf_change->term;
  if (term != raft_.term()) {
    return Refuse(proposal, absl::FailedPreconditionError(
                                fmt::format("not the leader of term {} any more", term)));
  }
  absl::StatusOr<raft::Index> index = raft_.ProposeConfChange(proposal.conf_change->change);
  if (!index.ok()) return Refuse(proposal, index.status());
  proposals_.Add(*index, raft_.term(), std::move(proposal));
}

void Driver::ProcessReady() {
  reads_.StartRound(raft_);
  while (raft_.HasReady()) {
    raft::Ready ready = raft_.TakeReady();
    // Before any other call into the core, which may ask for these entries.
    cache_.Append(ready.seq, ready.entries);
    // Clients wait for it.
    feed_.Add(std::move(ready.committed));
    Persist(ready);
    for (const raft::ReadState& state : ready.read_states) {
      if (std::optional<ReadBatch> batch = reads_.Finish(state))
        applier_.SubmitReads(*std::move(batch));
    }
    for (uint64_t context : ready.failed_reads) reads_.RoundLost(context);
    if (ready.snapshot) NeedSnapshot(ready.snapshot->index);
    NoteLeadership();
    reads_.StartRound(raft_);
  }
}

void Driver::Persist(raft::Ready& ready) {
  if (!ready.entries.empty()) {
    size_t bytes = 0;
    for (const raft::Entry& e : ready.entries) bytes += raft::EntryBytes(e);
    maintenance_.Appended(ready.entries.back().index, bytes);
  }
  sender_.Send(std::move(ready.messages));
  bool done = writer_.Submit({ready.seq, ready.hard_state, ready.must_sync,
                              std::move(ready.entries), std::move(ready.messages_after_persist)});
  if (!done) return;
  cache_.Persisted(ready.seq);
  raft_.Persisted(ready.seq);
}

void Driver::NoteLeadership() {
  Leadership now{raft_.role(), raft_.term(), raft_.leader()};
  if (now == leadership_) return;
  Leadership before = std::exchange(leadership_, now);
  bool leads = now.role == raft::Role::kLeader;
  size_t aborted = proposals_.AbortExcept(leads ? now.term : Proposals::kNoTerm,
                                          "leadership was lost before it was committed");
  metrics_.aborted_proposals.Increment(static_cast<double>(aborted));
  if (!leads) {
    reads_.FailAll(absl::FailedPreconditionError("not leader any more"));
    room_.ForgetPeers();
  }
  if (now.leader != before.leader) metrics_.leader_changes.Increment();
  transfers_.Check(raft_, clock_.Monotonic());
  Publish();
  observer_.OnLeadership(now.role, now.term, now.leader);
}

void Driver::Tick() {
  if (failed_) return;
  Clock::Duration now = clock_.Monotonic();
  Clock::Duration late = now - next_tick_;
  // A process that stood still (SIGSTOP, a starved machine) knows nothing of the meantime, while
  // the messages that would tell it wait to be read. Counting the lost ticks would make it campaign
  // against a healthy leader.
  bool stood_still = late > ElectionTimeout(options_) / 2;
  Clock::Duration delay = stood_still ? Clock::Duration(options_.tick)
                                      : std::max(options_.tick - late, Clock::Duration(0));
  next_tick_ = now + delay;
  raft_role_.PostAfter(delay, [this] { Tick(); });
  if (stood_still) {
    metrics_.late_ticks.Increment();
    writer_.ForgiveDelay();
    return;
  }
  NoteApplied();
  raft_.Tick();
  CheckStall(now);
  maintenance_.OnTick(now);
  ProcessReady();
  transfers_.Check(raft_, now);
  Publish();
}

void Driver::CheckStall(Clock::Duration now) {
  std::optional<Clock::Duration> since = writer_.WaitingSince();
  bool stalled = since && now - *since > options_.fsync_stall;
  if (stalled == std::exchange(stalled_, stalled)) return;
  if (stalled) metrics_.fsync_stalls.Increment();
  raft_.SetStalled(stalled);
  SetTrouble(Trouble::kLogStalled,
             stalled ? fmt::format("the log disk has not finished a sync for {:.1f} s",
                                   Seconds(now - *since))
                     : "");
}

void Driver::Cut(raft::Index index) {
  if (index == 0) return;
  cache_.CutPrefix(index);
  writer_.CutPrefix(index);
}

void Driver::SetTrouble(Trouble trouble, const std::string& why) {
  if (why.empty() ? troubles_.erase(trouble) == 0
                  : !troubles_.insert_or_assign(trouble, why).second)
    return;
  std::string all;
  for (const auto& [_, text] : troubles_) all += (all.empty() ? "" : "; ") + text;
  observer_.OnDegraded(!troubles_.empty(), all);
}

void Driver::Fail(const absl::Status& status) {
  if (std::exchange(failed_, true)) return;
  FailPending(absl::AbortedError(fmt::format("outcome unknown: {}", status.ToString())),
              absl::UnavailableError(status.ToString()));
  observer_.OnFatal(status);
}

void Driver::FailPending(const absl::Status& proposals, const absl::Status& others) {
  proposals_.AbortExcept(Proposals::kNoTerm, std::string(proposals.message()));
  reads_.FailAll(others);
  transfers_.Finish(others);
}

void Driver::Publish() {
  raft::RaftStatus status = raft_.Status();
  metrics_.is_leader.Set(status.role == raft::Role::kLeader ? 1 : 0);
  metrics_.term.Set(static_cast<double>(status.term));
  metrics_.commit_index.Set(static_cast<double>(status.commit));
  metrics_.applied_index.Set(static_cast<double>(status.applied));
  metrics_.last_index.Set(static_cast<double>(status.last_index));
  metrics_.suspect_peers.Set(static_cast<double>(std::count_if(
      status.progress.begin(), status.progress.end(), [](const auto& p) { return p.suspect; })));
  metrics_.outstanding.Set(static_cast<double>(admission_.used()));
  metrics_.apply_queue_bytes.Set(static_cast<double>(applier_.queued_bytes()));
  metrics_.full_peers.Set(static_cast<double>(room_.full_peers()));
  if (room_.Update(status.id, status.conf)) observer_.OnDisk(room_.status());
  MutexLock lock(status_mu_);
  status_ = std::move(status);
}

}  // namespace kdb::raftnode

#include "pkg/routing/router_impl.h"

#include <fmt/format.h>

#include <utility>

#include "pkg/base/check.h"

namespace kdb::routing {
namespace {

using std::chrono::milliseconds;

constexpr auto kPublishInterval = milliseconds(250);

}  // namespace

std::unique_ptr<Router> Router::Create(const RouterOptions& options, ShardLinkFactory& links,
                                       Executor& executor, const Clock& clock, Random random,
                                       obs::Registry& metrics) {
  return std::make_unique<RouterImpl>(options, links, executor, clock, random, metrics);
}

RouterImpl::RouterImpl(const RouterOptions& options, ShardLinkFactory& links, Executor& executor,
                       const Clock& clock, Random random, obs::Registry& metrics)
    : options_(options),
      links_(links),
      executor_(executor),
      clock_(clock),
      random_(random),
      metrics_(metrics),
      self_(std::make_shared<RouterImpl*>(this)),
      queue_latency_(metrics_.queue_seconds),
      network_latency_(metrics_.network_seconds) {}

RouterImpl::~RouterImpl() {
  *self_ = nullptr;
  Publish();
}

void RouterImpl::CloseSessions() {
  for (auto& [gid, group] : groups_) group.session->Close();
}

// --- Routing.

void RouterImpl::Register(ShardOp& op) {
  if (op.live) return;
  op.live = true;
  if (op.number == 0) op.number = ++last_number_;
  deadlines_.Insert(op);
  ++queued_ops_;
  op.accounted = op.cost();
  queued_bytes_ += op.accounted;
  NoteLoad();
  ArmDeadline();
  ArmPublish();
}

RouterImpl::Group& RouterImpl::GroupOf(uint64_t gid) {
  Group& group = groups_[gid];
  if (group.session == nullptr) {
    GroupLimits limits{options_.max_batch_ops, options_.max_batch_bytes,
                       static_cast<size_t>(options_.max_batches_in_flight)};
    GroupEvents& events = *this;
    group.session = std::make_unique<GroupSession>(gid, limits, links_, executor_, clock_,
                                                   random_.Next(), metrics_, events);
  }
  return group;
}

void RouterImpl::Route(OpPtr op) {
  if (op->answered) return Release(std::move(op));
  for (shard::Slot slot : op->slots) {
    if (routes_.parked(slot) != nullptr || routes_.owner(slot).gid == 0) {
      return Park(std::move(op), slot);
    }
  }
  uint64_t gid = CommonOwner(*op);
  if (gid == 0) return Resplit(std::move(op));
  op->gid = gid;
  Dispatch(std::move(op));
}

void RouterImpl::Resplit(OpPtr op) {
  OwnedArgs args = op->args;
  std::vector<std::string_view> views;
  args.Views(&views);
  std::vector<int> positions;
  redis::KeyPositions(*op->command, views, &positions);
  Scatter(std::move(op), views, positions);
}

// The op has its group: its client's earlier ops there decide whether it may go, and which way.
void RouterImpl::Dispatch(OpPtr op) {
  Group& group = GroupOf(op->gid);
  for (shard::Slot slot : op->slots) ++group.unresolved[slot];
  if (op->client == nullptr) {
    Path path = op->write ? Path::kLog : Path::kRead;
    return Admit(std::move(op), path);
  }
  Lane& lane = ClientLanes::FindOrAdd(*op);
  uint64_t forming = group.session->forming_read_batch();
  Path path = lane.waiting.empty() ? ClientLanes::PathOf(lane, *op, forming) : Path::kWait;
  if (path == Path::kWait) return ClientLanes::PushWaiting(lane, std::move(op));
  ClientLanes::Enter(lane, *op, path, forming);
  Admit(std::move(op), path);
}

void RouterImpl::Admit(OpPtr op, Path path) {
  GroupSession& session = *GroupOf(op->gid).session;
  if (path == Path::kRead) return session.EnqueueRead(std::move(op));
  if (op->gid == resuming_ && op->after_freeze) return session.EnqueueResumed(std::move(op));
  session.EnqueueWrite(std::move(op));
}

// Lets go what waited for the client's earlier ops at the group.
void RouterImpl::Pump(ClientState* client, uint64_t gid) {
  ClientRef hold(client);
  GroupSession& session = *GroupOf(gid).session;
  for (;;) {
    Lane* lane = ClientLanes::Find(client, gid);
    if (lane == nullptr) return;
    if (lane->waiting.empty()) break;
    ShardOp& next = lane->waiting.front();
    uint64_t forming = session.forming_read_batch();
    if (next.answered) {
      OpPtr op = ClientLanes::PopWaiting(*lane);
      NoteResolved(std::exchange(op->gid, 0), op->slots);
      Release(std::move(op));
      continue;
    }
    Path path = ClientLanes::PathOf(*lane, next, forming);
    if (path == Path::kWait) break;
    OpPtr op = ClientLanes::PopWaiting(*lane);
    if (MustWait(*op)) {
      TakeBack(std::move(op));
      continue;
    }
    ClientLanes::Enter(*lane, *op, path, forming);
    Admit(std::move(op), path);
  }
  ClientLanes::EraseIfIdle(client, gid);
}

void RouterImpl::OnFlushWanted() {
  if (flush_posted_) return;
  flush_posted_ = true;
  executor_.Post([self = self_] {
    if (*self != nullptr) (*self)->Flush();
  });
}

void RouterImpl::Flush() {
  flush_posted_ = false;
  for (auto& [gid, group] : groups_) group.session->Flush();
}

// --- Results.

void RouterImpl::OnResult(OpPtr op, const wire::Result& result) {
  switch (result.code) {
    case wire::ResultCode::kReply:
    case wire::ResultCode::kFailed:
      if (op->rides && ClientLanes::IsOvertaken(*ClientLanes::Find(op->client, op->gid), *op)) {
        return ReadAgain(std::move(op));
      }
      LeaveGroup(*op);
      Answer(*op, PartEnd::kReply, std::string(result.reply));
      return Release(std::move(op));
    case wire::ResultCode::kLate: {
      uint64_t gid = op->gid;
      LeaveGroup(*op);
      AnswerLate(*op, gid);
      return Release(std::move(op));
    }
    case wire::ResultCode::kByIndex:
      return op->write ? OnOutcomeUnknown(std::move(op)) : ReadAgain(std::move(op));
    case wire::ResultCode::kMoved:
    case wire::ResultCode::kNotOwner:
    case wire::ResultCode::kFrozen:
      return OnRefused(std::move(op), result);
  }
}

void RouterImpl::OnOutcomeUnknown(OpPtr op) {
  uint64_t gid = op->gid;
  LeaveGroup(*op);
  if (!op->write) return Route(std::move(op));
  metrics_.unknowns.Increment();
  Answer(*op, PartEnd::kUnknown, ForgottenText(gid));
  Release(std::move(op));
}

void RouterImpl::OnDropped(OpPtr op) {
  LeaveGroup(*op);
  Release(std::move(op));
}

// A read that was not done (too large for the log, or its read batch was full) goes outside the
// log, before the client's later ops.
void RouterImpl::ReadAgain(OpPtr op) {
  if (!op->entered) {  // no client's order waits for it
    LeaveGroup(*op);
    return Route(std::move(op));
  }
  Lane* lane = ClientLanes::Find(op->client, op->gid);
  ClientLanes::Leave(*lane, *op);
  op->rides = false;
  op->by_index = true;
  ClientRef hold = op->hold;
  uint64_t gid = op->gid;
  ClientLanes::PushWaiting(*lane, std::move(op));
  Pump(hold.get(), gid);
}

void RouterImpl::LeaveGroup(ShardOp& op) {
  LeaveLane(op);
  NoteResolved(std::exchange(op.gid, 0), op.slots);
}

void RouterImpl::LeaveLane(ShardOp& op) {
  if (!op.entered) return;
  ClientLanes::Leave(*ClientLanes::Find(op.client, op.gid), op);
  op.rides = false;
  Pump(op.client, op.gid);
}

// An op is not at its group any more. `slots` by value: what waited for this may end the op.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
void RouterImpl::NoteResolved(uint64_t gid, ShardOp::Slots slots) {
  std::vector<uint32_t>& unresolved = GroupOf(gid).unresolved;
  for (shard::Slot slot : slots) {
    if (--unresolved[slot] > 0) continue;
    ParkedSlot* parked = routes_.parked(slot);
    if (parked == nullptr || parked->draining != gid) continue;
    parked->draining = 0;
    TryUnpark(slot);
  }
}

void RouterImpl::Answer(ShardOp& op, PartEnd how, std::string text) {
  if (op.answered) return;
  op.answered = true;
  deadlines_.Remove(op);
  if (op.sent != Clock::Duration::zero()) {
    queue_latency_.Observe(op.sent - op.submitted);
    network_latency_.Observe(clock_.Monotonic() - op.sent);
  }
  if (op.client != nullptr && op.client->gone) return;
  if (op.call == nullptr) {
    if (how != PartEnd::kReply) text = fmt::format("-{}\r\n", text);
    return op.done(std::move(text));
  }
  if (op.call->End(op.part, how, std::move(text))) op.call->Finish(random_);
}

void RouterImpl::Release(OpPtr op) {
  if (!op->live) return;
  if (!op->answered) deadlines_.Remove(*op);
  --queued_ops_;
  queued_bytes_ -= op->accounted;
  NoteLoad();
}

void RouterImpl::NoteLoad() {
  if (!backlogged_) {
    backlogged_ = queued_bytes_ > options_.max_queued_bytes;
  } else if (queued_bytes_ < options_.max_queued_bytes / 2) {
    backlogged_ = false;
    if (resume_) resume_();
  }
}

// --- Deadlines.

void RouterImpl::ArmDeadline() {
  if (deadline_armed_ || deadlines_.empty()) return;
  deadline_armed_ = true;
  executor_.PostAfter(deadlines_.oldest()->deadline - clock_.Monotonic(), [self = self_] {
    if (*self != nullptr) (*self)->ExpireOps();
  });
}

void RouterImpl::ExpireOps() {
  deadline_armed_ = false;
  Clock::Duration now = clock_.Monotonic();
  while (!deadlines_.empty() && deadlines_.oldest()->deadline <= now) {
    AnswerTimeout(*deadlines_.oldest());
  }
  ArmDeadline();
}

// The op stays where it is until whoever holds it comes across it.
void RouterImpl::AnswerTimeout(ShardOp& op) {
  std::string where = Whereabouts(op, op.gid);
  bool unknown = op.write && op.batch != nullptr && op.batch->doubts > 0;
  if (unknown) {
    metrics_.unknowns.Increment();
    Answer(op, PartEnd::kUnknown, UnansweredText(where, options_.deadline));
  } else {
    metrics_.timeouts.Increment();
    Answer(op, PartEnd::kTimeout, TimeoutText(AwaitedBy(op), where, options_.deadline));
  }
  op.args.Clear();
}

// What the group says of an op is definite, whatever became of earlier sends.
void RouterImpl::AnswerLate(ShardOp& op, uint64_t gid) {
  if (op.answered) return;
  metrics_.timeouts.Increment();
  Answer(op, PartEnd::kTimeout, LateText(Whereabouts(op, gid), gid, options_.deadline));
}

Awaited RouterImpl::AwaitedBy(const ShardOp& op) const {
  if (op.gid != 0) {
    auto group = groups_.find(op.gid);
    bool led = group != groups_.end() && group->second.session->has_leader();
    if (!led) return Awaited::kLeader;
    return op.client != nullptr && !op.entered ? Awaited::kTurn : Awaited::kAnswer;
  }
  if (table_ == nullptr) return Awaited::kCatalog;
  if (op.slots.empty()) return Awaited::kAnyOwner;
  for (shard::Slot slot : op.slots) {
    if (routes_.owner(slot).gid == 0) return Awaited::kOwner;
    const ParkedSlot* parked = routes_.parked(slot);
    if (parked != nullptr && parked->draining != 0) return Awaited::kFormerOwner;
  }
  return Awaited::kTransfer;
}

// --- Metrics.

void RouterImpl::ArmPublish() {
  if (publish_armed_) return;
  publish_armed_ = true;
  executor_.PostAfter(kPublishInterval, [self = self_] {
    if (*self == nullptr) return;
    (*self)->publish_armed_ = false;
    (*self)->Publish();
    if (!(*self)->idle()) (*self)->ArmPublish();
  });
}

void RouterImpl::Publish() {
  auto step = [](obs::Gauge& gauge, size_t now, size_t& published) {
    gauge.Increment(static_cast<double>(now) - static_cast<double>(published));
    published = now;
  };
  step(metrics_.queued_ops, queued_ops_, published_ops_);
  step(metrics_.queued_bytes, queued_bytes_, published_bytes_);
  step(metrics_.parked_ops, parked_ops_, published_parked_);
  queue_latency_.Publish();
  network_latency_.Publish();
}

}  // namespace kdb::routing

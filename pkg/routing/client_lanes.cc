#include "pkg/routing/client_lanes.h"

#include <algorithm>

namespace kdb::routing {
namespace {

bool Touches(const Lane& lane, const ShardOp& op) {
  if (lane.riding.empty()) return false;
  if (op.slots.empty()) return true;
  return std::any_of(op.slots.begin(), op.slots.end(), [&lane](shard::Slot slot) {
    return std::find(lane.riding.begin(), lane.riding.end(), slot) != lane.riding.end();
  });
}

bool MayRide(const ShardOp& op) { return !op.by_index && op.slots.size() == 1 && !op.scan; }

}  // namespace

ClientRef::ClientRef(ClientState* state) : state_(state) {
  if (state_ != nullptr) ++state_->references;
}

ClientRef::~ClientRef() {
  if (state_ != nullptr && --state_->references == 0) delete state_;
}

void ClientOrder::Abandon() {
  if (state_.get() != nullptr) state_->gone = true;
  state_ = ClientRef();
}

ClientRef ClientLanes::StateOf(ClientOrder& client) {
  if (client.state_.get() == nullptr) client.state_ = ClientRef(new ClientState);
  return client.state_;
}

Path ClientLanes::PathOf(const Lane& lane, const ShardOp& op, uint64_t forming) {
  if (op.write) return lane.reads > 0 || Touches(lane, op) ? Path::kWait : Path::kLog;
  if (lane.logged > 0) {
    // A ride must not overtake reads that are under way outside the log.
    return MayRide(op) && lane.reads == 0 ? Path::kLog : Path::kWait;
  }
  return lane.reads == 0 || lane.read_batch == forming ? Path::kRead : Path::kWait;
}

Lane* ClientLanes::Find(ClientState* client, uint64_t gid) {
  if (client == nullptr) return nullptr;
  for (Lane& lane : client->lanes) {
    if (lane.gid == gid) return &lane;
  }
  return nullptr;
}

Lane& ClientLanes::FindOrAdd(const ShardOp& op) {
  if (Lane* lane = Find(op.client, op.gid)) return *lane;
  Lane& lane = op.client->lanes.emplace_back();
  lane.gid = op.gid;
  return lane;
}

void ClientLanes::Enter(Lane& lane, ShardOp& op, Path path, uint64_t forming) {
  op.entered = true;
  if (path == Path::kRead) {
    ++lane.reads;
    lane.read_batch = forming;
    return;
  }
  ++lane.logged;
  if (op.write) return;
  op.rides = true;
  lane.riding.push_back(op.slots.front());
}

bool ClientLanes::IsOvertaken(Lane& lane, const ShardOp& op) {
  if (lane.waiting.empty()) return false;
  const ShardOp* older = &lane.waiting.front();
  for (; older != nullptr && older->number < op.number; older = older->next.get()) {
    if (!older->slots.empty() && older->slots.front() == op.slots.front()) return true;
  }
  return false;
}

void ClientLanes::Leave(Lane& lane, ShardOp& op) {
  op.entered = false;
  if (!op.logged()) {
    --lane.reads;
    return;
  }
  --lane.logged;
  if (!op.rides) return;
  auto it = std::find(lane.riding.begin(), lane.riding.end(), op.slots.front());
  *it = lane.riding.back();
  lane.riding.pop_back();
}

void ClientLanes::EraseIfIdle(ClientState* client, uint64_t gid) {
  auto& lanes = client->lanes;
  auto it = std::find_if(lanes.begin(), lanes.end(), [gid](const Lane& l) { return l.gid == gid; });
  if (it == lanes.end() || !it->idle()) return;
  if (it != lanes.end() - 1) *it = std::move(lanes.back());
  lanes.pop_back();
}

void ClientLanes::PushWaiting(Lane& lane, OpPtr op) {
  op->hold = ClientRef();
  lane.waiting.InsertByNumber(std::move(op));
}

OpPtr ClientLanes::PopWaiting(Lane& lane) {
  OpPtr op = lane.waiting.PopFront();
  op->hold = ClientRef(op->client);
  return op;
}

}  // namespace kdb::routing

// The rules that keep one client's commands in order at one shard group (design 4, "Order"):
// - While it has ops in the log, its single-key reads ride the log behind them; other reads wait.
// - A write waits for its earlier reads that run outside the log.
// - Reads outside the log overlap only within one read batch, which the shard answers from one
// state.
// - A read that rode and came back `by_index` waits for the ops in the log, and later ops wait for
// it. What was in the log
//   behind it has happened by then; so a write on the slot of a riding read waits for that read,
//   and what a later riding read of its slot saw is dropped and read again behind it: order holds
//   per slot.
#pragma once

#include <cstdint>
#include <vector>

#include "pkg/routing/client_order.h"
#include "pkg/routing/shard_op.h"

namespace kdb::routing {

enum class Path : uint8_t { kWait, kLog, kRead };

// One client at one group.
struct Lane {
  uint64_t gid = 0;
  uint32_t logged = 0;                         // writes and riding reads, admitted and unresolved
  uint32_t reads = 0;                          // reads outside the log
  uint64_t read_batch = 0;                     // the one all of `reads` are in
  absl::InlinedVector<shard::Slot, 2> riding;  // slots of riding reads
  OpQueue waiting;                             // in the order sent

  bool idle() const { return logged == 0 && reads == 0 && waiting.empty(); }
};

struct ClientState {
  uint32_t references = 0;
  bool gone = false;
  absl::InlinedVector<Lane, 1> lanes;  // few: groups with commands in flight
};

class ClientLanes {
 public:
  static ClientRef StateOf(ClientOrder& client);
  static void Abandon(ClientOrder& client) { client.Abandon(); }

  // Which way `op` may go now, if it is the client's oldest at its group; `forming` is the read
  // batch that takes reads now.
  static Path PathOf(const Lane& lane, const ShardOp& op, uint64_t forming);
  // nullptr: no lane, or no client.
  static Lane* Find(ClientState* client, uint64_t gid);
  // Of op's client and group.
  static Lane& FindOrAdd(const ShardOp& op);
  // `op` goes that way. Sets op.entered and op.rides.
  static void Enter(Lane& lane, ShardOp& op, Path path, uint64_t forming);
  // An older read of the slot of `op`, a riding read, came back and will see a later moment.
  static bool IsOvertaken(Lane& lane, const ShardOp& op);
  // `op`, which entered, has its result.
  static void Leave(Lane& lane, ShardOp& op);
  static void EraseIfIdle(ClientState* client, uint64_t gid);

  // The queue of what may not go yet, in the order sent: an op that comes back goes before younger
  // ones. While it is not empty, some op that entered keeps the
  // client's state alive.
  static void PushWaiting(Lane& lane, OpPtr op);
  static OpPtr PopWaiting(Lane& lane);
};

}  // namespace kdb::routing

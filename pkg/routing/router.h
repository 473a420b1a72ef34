// Takes resolved commands to the shards that own their slots and brings back replies, in doubt only
// when that cannot be helped. One router per I/O thread; all of it runs on that thread's executor;
// no sockets, so the simulation runs it as it is.
//
// Guarantees (design 4): a retry never applies twice (a batch with unknown outcome goes only to the
// same group under the same session and number); commands of one client take effect in the order
// sent, per group (client_lanes.h has the rules); a command sent after a reply was received takes
// effect after it. At the deadline a command is answered -TIMEOUT when it is known that nothing
// happened, else -UNKNOWN; then, too, it has happened by the deadline plus the error of the group's
// clock, or never will.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "pkg/base/clock.h"
#include "pkg/base/executor.h"
#include "pkg/base/random.h"
#include "pkg/obs/metrics.h"
#include "pkg/redis/command.h"
#include "pkg/resp/reply_writer.h"
#include "pkg/routing/client_order.h"
#include "pkg/routing/shard_link.h"
#include "pkg/shard/slot_table.h"

namespace kdb::routing {

struct RouterOptions {
  std::chrono::milliseconds deadline{10000};  // for a command parked while no leader is known
  size_t max_batch_ops = 512;
  size_t max_batch_bytes = 256 << 10;  // or one op
  int max_batches_in_flight = 2;       // per session
  size_t max_queued_bytes = 64 << 20;  // over it the connections stop reading (see backlogged())
};

// Exactly one RESP reply in the version asked for.
using ReplyDone = absl::AnyInvocable<void(std::string reply)>;
// One reply per shard group that owns slots; or a RESP error alone.
using RepliesDone = absl::AnyInvocable<void(std::vector<std::string> replies)>;

// Not thread-safe.
class Router {
 public:
  static std::unique_ptr<Router> Create(const RouterOptions& options, ShardLinkFactory& links,
                                        Executor& executor, const Clock& clock, Random random,
                                        obs::Registry& metrics);
  virtual ~Router() = default;

  // A newer catalog; older versions are ignored. Parked commands go on.
  virtual void SetCatalog(std::shared_ptr<const shard::SlotTable> table) = 0;

  // Runs a command of route kSingle, kSplitKeys, kAllGroups or kScan. `args` need not outlive the
  // call. `done` may be called before Submit returns (an error known at once), and is called
  // exactly once unless `client` is forgotten or the router destroyed: then it is dropped.
  virtual void Submit(const redis::Command& command, const std::vector<std::string_view>& args,
                      resp::Version version, ClientOrder& client, ReplyDone done) = 0;
  // Runs a read at every group that owns slots, with no order kept; the replies are not merged.
  virtual void SubmitToAll(const redis::Command& command, const std::vector<std::string_view>& args,
                           resp::Version version, RepliesDone done) = 0;
  // `client`'s connection is gone: what is in flight goes on, `done` is dropped, `client` is as
  // new.
  virtual void Forget(ClientOrder& client) = 0;

  // Too much is queued: stop reading sockets until false; `resume` of SetResume is called when that
  // happens.
  virtual bool backlogged() const = 0;
  virtual void SetResume(absl::AnyInvocable<void()> resume) = 0;
  // Nothing queued or in flight: for draining.
  virtual bool idle() const = 0;
  // The newest catalog asks to be refreshed (a shard answered with a newer epoch): for the watcher.
  virtual void SetCatalogWanted(absl::AnyInvocable<void()> wanted) = 0;
  // When idle, before the end: gives the groups back what they keep for this router.
  virtual void CloseSessions() = 0;
};

}  // namespace kdb::routing

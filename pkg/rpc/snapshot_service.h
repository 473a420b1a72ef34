// Snapshots over the frame protocol, the serving side (proto/raft.proto: SnapshotRequest).
#pragma once

#include <functional>
#include <memory>

#include "pkg/base/mutex.h"
#include "pkg/net/connection.h"
#include "pkg/snapshot/source.h"
#include "proto/raft.pb.h"

namespace kdb::rpc {

// Thread-safe. Connections are refused with UNAVAILABLE while no source is attached.
class SnapshotService {
 public:
  // Whether who says so is a member that may fetch here.
  using Check = std::function<absl::Status(const raftpb::Hello& hello)>;

  // `source`, and what `check` uses, stay valid until Detach returned.
  void Attach(Check check, snapshot::Source* source);
  void Detach();

  // A member's new connection, on the loop; for net::Listener.
  std::unique_ptr<net::Handler> Open(std::shared_ptr<net::Connection> connection);

 private:
  class Stream;

  absl::Status Accept(const raftpb::Hello& hello);
  absl::Status Ask(raftpb::SnapshotRequest request, snapshot::Source::Answer answer);

  Mutex mu_;
  Check check_ ABSL_GUARDED_BY(mu_);
  snapshot::Source* source_ ABSL_GUARDED_BY(mu_) = nullptr;
};

}  // namespace kdb::rpc

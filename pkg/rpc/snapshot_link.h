// Snapshots over the frame protocol, the fetching side.
#pragma once

#include <memory>

#include "pkg/raftnode/transport.h"
#include "pkg/rpc/raft_transport.h"
#include "pkg/snapshot/link.h"

namespace kdb::rpc {

// Connects in the background. The connection runs on `io`; it and `handler` outlive the link.
std::unique_ptr<snapshot::Link> OpenSnapshotLink(asio::io_context& io, const MemberIdentity& self,
                                                 const raftnode::Peer& peer,
                                                 snapshot::LinkHandler& handler);

}  // namespace kdb::rpc

// pkg/raft's values to and from proto/raft.proto.
#pragma once

#include "absl/status/statusor.h"
#include "pkg/raft/types.h"
#include "proto/raft.pb.h"

namespace kdb::rpc {

void ToProto(const raft::Message& message, raftpb::Message* out);
// Takes the entries' bytes out of `in` without copying them. INVALID_ARGUMENT on types that this
// version does not know.
absl::StatusOr<raft::Message> FromProto(raftpb::Message* in);

// Bytes that a message counts for in send queues.
size_t MessageBytes(const raft::Message& message);

}  // namespace kdb::rpc

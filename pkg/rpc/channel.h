// gRPC channels and servers with the settings that every part of ERaftKDB shares (design 3):
// reconnects within 100 ms to 1 s, DNS resolved again at least once a second, keepalive, message
// limits that fit the largest batch.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace kdb::rpc {

inline constexpr int kMaxMessageBytes = 48 << 20;  // one command of 32 MiB, and room

// Never fails: connecting happens in the background. `purpose` separates connections to the same
// address: bulk never delays heartbeats.
std::shared_ptr<grpc::Channel> NewChannel(const std::string& address, const std::string& purpose);

// Limits and keepalive for a server.
void ConfigureServer(grpc::ServerBuilder& builder);
// Listens and starts; *port is set when the address ends in ":0". UNAVAILABLE names the address (in
// use, no permission).
absl::StatusOr<std::unique_ptr<grpc::Server>> StartServer(grpc::ServerBuilder& builder,
                                                          const std::string& address, int* port);

absl::Status FromGrpc(const grpc::Status& status);
grpc::Status ToGrpc(const absl::Status& status);

// The leader that a FAILED_PRECONDITION names in its trailing metadata "kdb-leader"; empty when it
// names none.
std::string LeaderHint(const grpc::ClientContext& context);
void SetLeaderHint(grpc::CallbackServerContext& context, const std::string& address);

}  // namespace kdb::rpc

#include "pkg/rpc/channel.h"

#include <fmt/format.h>

namespace kdb::rpc {
namespace {

constexpr char kLeaderKey[] = "kdb-leader";

}  // namespace

std::shared_ptr<grpc::Channel> NewChannel(const std::string& address, const std::string& purpose) {
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(kMaxMessageBytes);
  args.SetMaxSendMessageSize(kMaxMessageBytes);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  args.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 1000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Equal arguments would share one connection between channels.
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetString("kdb.purpose", purpose);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), args);
}

void ConfigureServer(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Else the connection of a client whose machine is gone is kept for two hours.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

absl::StatusOr<std::unique_ptr<grpc::Server>> StartServer(grpc::ServerBuilder& builder,
                                                          const std::string& address, int* port) {
  int bound = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &bound);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || bound == 0) {
    return absl::UnavailableError(fmt::format(
        "cannot listen on {}: is the port in use, or the address not of this host?", address));
  }
  if (port != nullptr) *port = bound;
  return server;
}

absl::Status FromGrpc(const grpc::Status& status) {
  // The codes of absl and gRPC are the same numbers by definition.
  absl::Status same(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  // gRPC's own answer of a server that does not have the service has no message.
  if (!absl::IsUnimplemented(same) || !same.message().empty()) return same;
  return absl::UnimplementedError("the server has no such call: is this the right port?");
}

grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

std::string LeaderHint(const grpc::ClientContext& context) {
  const auto& trailing = context.GetServerTrailingMetadata();
  auto it = trailing.find(kLeaderKey);
  return it == trailing.end() ? "" : std::string(it->second.data(), it->second.size());
}

void SetLeaderHint(grpc::CallbackServerContext& context, const std::string& address) {
  if (!address.empty()) context.AddTrailingMetadata(kLeaderKey, address);
}

}  // namespace kdb::rpc

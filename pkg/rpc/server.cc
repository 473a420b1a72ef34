#include "pkg/rpc/server.h"

#include <chrono>
#include <utility>

#include "pkg/base/status.h"
#include "pkg/rpc/channel.h"

namespace kdb::rpc {

Server::Server(const ServerOptions& options, const ServerEnvironment& env)
    : events_(options.max_connections, env.clock, env.metrics, env.logger) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      const ServerEnvironment& env,
                                                      const std::vector<grpc::Service*>& services,
                                                      Streams streams) {
  std::unique_ptr<Server> server(new Server(options, env));
  grpc::ServerBuilder builder;
  ConfigureServer(builder);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             static_cast<int>(options.preface_timeout.count()));
  for (grpc::Service* service : services) builder.RegisterService(service);
  server->acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());
  server->grpc_ = builder.BuildAndStart();
  if (server->grpc_ == nullptr) return absl::InternalError("gRPC did not start");
  auto hand_over = [&acceptor = *server->acceptor_](int fd, std::string_view read) {
    grpc::Slice slice(read.data(), read.size());
    GrpcAcceptor::NewConnectionParameters connection;
    connection.fd = fd;
    connection.read_buffer = grpc::ByteBuffer(&slice, 1);
    acceptor.HandleNewConnection(&connection);
  };
  auto on_event = [&events = server->events_](net::Listener::Event event) { events.Add(event); };
  KDB_ASSIGN_OR_RETURN(server->listener_,
                       net::Listener::Start(env.loop, {.address = options.address,
                                                       .services = std::move(streams),
                                                       .others = hand_over,
                                                       .opening_timeout = options.preface_timeout,
                                                       .max_connections = options.max_connections,
                                                       .on_event = on_event}));
  server->port_ = server->listener_->port();
  return server;
}

Server::~Server() { Shutdown(); }

void Server::Shutdown() {
  listener_.reset();
  if (grpc_ != nullptr) grpc_->Shutdown(std::chrono::system_clock::now());
}

}  // namespace kdb::rpc

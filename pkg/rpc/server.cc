#include "pkg/rpc/server.h"

#include <chrono>
#include <utility>

#include "pkg/base/status.h"
#include "pkg/rpc/channel.h"

namespace kdb::rpc {

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    net::Loop& loop, const std::string& address, const std::vector<grpc::Service*>& services,
    std::map<net::Service, net::Listener::Accept> streams) {
  std::unique_ptr<Server> server(new Server());
  grpc::ServerBuilder builder;
  ConfigureServer(builder);
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
  KDB_ASSIGN_OR_RETURN(server->listener_,
                       net::Listener::Start(loop, {address, std::move(streams), hand_over}));
  server->port_ = server->listener_->port();
  return server;
}

Server::~Server() { Shutdown(); }

void Server::Shutdown() {
  listener_.reset();
  if (grpc_ != nullptr) grpc_->Shutdown(std::chrono::system_clock::now());
}

}  // namespace kdb::rpc

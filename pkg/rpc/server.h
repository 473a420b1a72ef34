// A server's port: gRPC services and the frame protocol's, told apart by a connection's first
// bytes.
#pragma once

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/net/listener.h"

namespace kdb::rpc {

class Server {
 public:
  // Serves at once. UNAVAILABLE names the address (in use, no permission). `loop` and the services
  // outlive the server.
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      net::Loop& loop, const std::string& address, const std::vector<grpc::Service*>& services,
      std::map<net::Service, net::Listener::Accept> streams);
  // As Shutdown.
  ~Server();

  int port() const { return port_; }
  // Takes no more, cancels the calls under way, waits for them and closes the streams. Not from the
  // loop.
  void Shutdown();

 private:
  using GrpcAcceptor = grpc::experimental::ExternalConnectionAcceptor;

  Server() = default;

  std::unique_ptr<GrpcAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> grpc_;
  std::unique_ptr<net::Listener> listener_;
  int port_ = 0;
};

}  // namespace kdb::rpc

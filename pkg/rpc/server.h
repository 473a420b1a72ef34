// A server's port: gRPC services and the frame protocol's, told apart by a connection's first
// bytes.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/base/clock.h"
#include "pkg/net/listener.h"
#include "pkg/obs/log.h"
#include "pkg/obs/metrics.h"
#include "pkg/rpc/connection_events.h"

namespace kdb::rpc {

struct ServerOptions {
  std::string address;                // host:port; port 0: any
  uint64_t max_connections = 10'000;  // gRPC and frames together
  // For a connection's first bytes, then for gRPC's handshake or a stream's hello.
  std::chrono::milliseconds preface_timeout{10'000};
};

// What a server runs on; all of it outlives the server.
struct ServerEnvironment {
  net::Loop& loop;
  const Clock& clock;
  obs::Registry& metrics;
  obs::Logger logger;
};

class Server {
 public:
  using Streams = std::map<net::Service, net::Listener::Accept>;

  // Serves at once. UNAVAILABLE names the address (in use, no permission). The services outlive the
  // server.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                                       const ServerEnvironment& env,
                                                       const std::vector<grpc::Service*>& services,
                                                       Streams streams);
  // As Shutdown.
  ~Server();

  int port() const { return port_; }
  // Takes no more, cancels the calls under way, waits for them and closes the streams. Not from the
  // loop.
  void Shutdown();

 private:
  using GrpcAcceptor = grpc::experimental::ExternalConnectionAcceptor;

  explicit Server(const ServerOptions& options, const ServerEnvironment& env);

  ConnectionEvents events_;
  std::unique_ptr<GrpcAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> grpc_;
  std::unique_ptr<net::Listener> listener_;
  int port_ = 0;
};

}  // namespace kdb::rpc

// Command streams (routing::ShardLink to server::Replica) over the simulated network: what
// frame_shard_link and command_stream do in servers.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "pkg/routing/shard_link.h"
#include "pkg/testing/sim/pipe.h"
#include "pkg/testing/sim/world.h"
#include "pkg/testing/sim_loop.h"

namespace kdb::sim {

class SimServer;

// Both ends of one stream. Shared: messages under way and callbacks of the replica hold it. Not
// thread-safe.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  static std::shared_ptr<Stream> Open(World& world, testing::EndpointId proxy,
                                      testing::SimExecutor& executor, SimServer& server,
                                      routing::ShardLinkHandler& handler);

  // --- The proxy's end.
  void SendWrite(std::string batch);
  void SendRead(uint64_t id, std::string batch);
  void OpenSession(uint64_t request_id);
  void CloseSession(uint64_t session);
  // The handler is told nothing more; what is under way may still arrive.
  void Abandon();
  // The connection breaks: both ends see it.
  void Break(const std::string& why);
  bool abandoned() const { return handler_ == nullptr; }

  // --- The server's end.
  // This server leads no more.
  void Announce(const std::string& leader);
  // The server's life ended; the proxy hears of it only when the host tells it (`reset`).
  void CloseAtServer(bool reset);

 private:
  using Call = std::function<void(SimServer&)>;
  using Answer = std::function<void(routing::ShardLinkHandler&)>;

  Stream(World& world, testing::EndpointId proxy, testing::SimExecutor& executor, SimServer& server,
         routing::ShardLinkHandler& handler);

  void ToServer(Call call);
  void ArriveAtServer(const Call& call);
  void ToProxy(Answer answer);
  void Reset();
  void BreakAtProxy(const std::string& why);
  void PostToHandler(Answer answer);

  World& world_;
  const testing::EndpointId proxy_;
  testing::SimExecutor& executor_;
  SimServer& server_;
  routing::ShardLinkHandler* handler_;  // null: abandoned or broken
  std::shared_ptr<Pipe> to_server_;
  std::shared_ptr<Pipe> to_proxy_;
  bool accepted_ = false;
  bool closed_at_server_ = false;
};

}  // namespace kdb::sim

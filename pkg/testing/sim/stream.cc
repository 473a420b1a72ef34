#include "pkg/testing/sim/stream.h"

#include <utility>

#include "pkg/testing/sim/sim_server.h"

namespace kdb::sim {
namespace {

using std::chrono::milliseconds;

std::function<void(routing::ShardLinkHandler&)> LeaderChanged(std::string leader) {
  return [leader = std::move(leader)](routing::ShardLinkHandler& h) { h.OnLeaderChanged(leader); };
}

}  // namespace

std::shared_ptr<Stream> Stream::Open(World& world, testing::EndpointId proxy,
                                     testing::SimExecutor& executor, SimServer& server,
                                     routing::ShardLinkHandler& handler) {
  std::shared_ptr<Stream> stream(new Stream(world, proxy, executor, server, handler));
  milliseconds patience(500 + world.loop.random().Uniform(5000));
  std::weak_ptr<Stream> weak = stream;
  stream->to_server_ =
      std::make_shared<Pipe>(world.loop, world.network, proxy, server.endpoint(), patience, [weak] {
        if (auto self = weak.lock()) self->BreakAtProxy("keepalive");
      });
  stream->to_proxy_ =
      std::make_shared<Pipe>(world.loop, world.network, server.endpoint(), proxy, patience, [weak] {
        if (auto self = weak.lock()) self->CloseAtServer(false);
      });
  return stream;
}

Stream::Stream(World& world, testing::EndpointId proxy, testing::SimExecutor& executor,
               SimServer& server, routing::ShardLinkHandler& handler)
    : world_(world), proxy_(proxy), executor_(executor), server_(server), handler_(&handler) {}

void Stream::SendWrite(std::string batch) {
  ToServer([self = shared_from_this(), batch = std::move(batch)](SimServer& server) {
    server.replica().Write(batch, [self](absl::StatusOr<Payload> reply) {
      if (!reply.ok()) return self->ToProxy(LeaderChanged(self->server_.LeaderAddress()));
      self->ToProxy([reply = *std::move(reply)](routing::ShardLinkHandler& h) {
        h.OnWriteReply(reply.view());
      });
    });
  });
}

void Stream::SendRead(uint64_t id, std::string batch) {
  ToServer([self = shared_from_this(), id, batch = std::move(batch)](SimServer& server) {
    server.replica().Read(batch, id, [self](absl::StatusOr<Payload> reply) {
      if (!reply.ok()) return;  // the server is going, and the stream with it
      self->ToProxy([reply = *std::move(reply)](routing::ShardLinkHandler& h) {
        h.OnReadReply(reply.view());
      });
    });
  });
}

void Stream::OpenSession(uint64_t request_id) {
  ToServer([self = shared_from_this(), request_id](SimServer& server) {
    server.replica().OpenSession([self, request_id](absl::StatusOr<kv::OpenedSession> session) {
      std::string refusal(session.ok() ? "" : session.status().message());
      std::string leader = session.ok() ? "" : self->server_.LeaderAddress();
      int64_t log_time = session.ok() ? session->log_time_ms : 0;
      self->ToProxy([request_id, number = session.ok() ? session->session : 0, log_time, refusal,
                     leader](routing::ShardLinkHandler& h) {
        h.OnSessionOpened(request_id, number, log_time, refusal, leader);
      });
    });
  });
}

void Stream::CloseSession(uint64_t session) {
  ToServer([session](SimServer& server) { server.replica().CloseSession(session); });
}

void Stream::Announce(const std::string& leader) { ToProxy(LeaderChanged(leader)); }

void Stream::Abandon() {
  handler_ = nullptr;
  // A cancelled stream loses what was not sent yet, or it does not.
  if (world_.loop.random().OneIn(3)) to_server_->Close();
}

void Stream::Break(const std::string& why) {
  CloseAtServer(false);
  BreakAtProxy(why);
}

void Stream::CloseAtServer(bool reset) {
  closed_at_server_ = true;
  to_proxy_->Close();
  if (reset) Reset();
}

void Stream::ToServer(Call call) {
  to_server_->Send(
      [self = shared_from_this(), call = std::move(call)] { self->ArriveAtServer(call); });
}

void Stream::ArriveAtServer(const Call& call) {
  if (closed_at_server_ || !server_.running()) {
    closed_at_server_ = true;
    return Reset();
  }
  if (!std::exchange(accepted_, true)) server_.Accept(shared_from_this());
  call(server_);
}

void Stream::ToProxy(Answer answer) {
  to_proxy_->Send(
      [self = shared_from_this(), answer = std::move(answer)] { self->PostToHandler(answer); });
}

void Stream::PostToHandler(Answer answer) {
  executor_.Post([self = shared_from_this(), answer = std::move(answer)] {
    if (self->handler_ != nullptr) answer(*self->handler_);
  });
}

void Stream::Reset() {
  if (server_.powered()) {
    world_.network.SendReliably(server_.endpoint(), proxy_, [self = shared_from_this()] {
      self->BreakAtProxy("connection reset");
    });
  }
}

void Stream::BreakAtProxy(const std::string& why) {
  to_server_->Close();
  PostToHandler([self = shared_from_this(), why](routing::ShardLinkHandler& h) {
    self->handler_ = nullptr;
    h.OnBroken(absl::UnavailableError(why));
  });
}

}  // namespace kdb::sim

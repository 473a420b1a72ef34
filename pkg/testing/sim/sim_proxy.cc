#include "pkg/testing/sim/sim_proxy.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pkg/testing/sim/sim_server.h"

namespace kdb::sim {

class SimProxy::Link final : public routing::ShardLink {
 public:
  Link(SimProxy& owner, SimServer& server, routing::ShardLinkHandler& handler)
      : owner_(owner),
        stream_(Stream::Open(owner.world_, owner.endpoint_, *owner.executor_, server, handler)) {
    owner_.links_.push_back(this);
  }
  ~Link() override {
    stream_->Abandon();
    owner_.links_.erase(std::find(owner_.links_.begin(), owner_.links_.end(), this));
  }

  void OpenSession(uint64_t request_id) override { stream_->OpenSession(request_id); }
  void CloseSession(uint64_t session) override { stream_->CloseSession(session); }
  void SendWrite(std::string batch) override { stream_->SendWrite(std::move(batch)); }
  void SendRead(uint64_t id, std::string batch) override {
    stream_->SendRead(id, std::move(batch));
  }

  void Break(const std::string& why) { stream_->Break(why); }

 private:
  SimProxy& owner_;
  const std::shared_ptr<Stream> stream_;  // shared with what is under way
};

SimProxy::SimProxy(World& world, int number, std::map<std::string, SimServer*> servers)
    : world_(world),
      name_(fmt::format("p{}", number)),
      endpoint_(kFirstProxy + static_cast<testing::EndpointId>(number)),
      servers_(std::move(servers)),
      clock_(world.loop, kEpochMs),
      executor_(world.loop.NewExecutor(name_)) {
  executor_->SetLatency(std::chrono::microseconds(0), std::chrono::microseconds(20));
}

SimProxy::~SimProxy() { Kill(); }

void SimProxy::Start(std::shared_ptr<const shard::SlotTable> table) {
  ++life_;
  router_ = routing::Router::Create(world_.scenario.router, *this, *executor_, clock_,
                                    Random(world_.loop.random().Next()), metrics_);
  router_->SetCatalog(std::move(table));
  world_.trace.Note(name_, "started");
}

void SimProxy::Kill() {
  if (!running()) return;
  world_.trace.Note(name_, "killed");
  router_.reset();
  executor_->Drop();
}

void SimProxy::BreakLinks(const std::string& why) {
  for (Link* link : links_) link->Break(why);
}

void SimProxy::SetDrift(double ppm) {
  clock_.SetDrift(ppm);
  executor_->SetTimerRate(clock_.timer_rate());
}

std::unique_ptr<routing::ShardLink> SimProxy::Connect(uint64_t, const std::string& address,
                                                      routing::ShardLinkHandler& handler) {
  return std::make_unique<Link>(*this, *servers_.at(address), handler);
}

}  // namespace kdb::sim

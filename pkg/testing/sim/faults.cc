#include "pkg/testing/sim/faults.h"

#include <fmt/ranges.h>

#include <utility>

namespace kdb::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

Faults::Faults(World& world, Cluster& cluster, std::vector<std::unique_ptr<Client>>& clients)
    : world_(world), cluster_(cluster), clients_(clients), random_(world.loop.random().Next()) {}

void Faults::Start() { ScheduleNext(); }

void Faults::ScheduleNext() {
  Duration mean = world_.scenario.fault_gap;
  world_.loop.After(Between(Duration(0), 2 * mean), [this] {
    if (healed_) return;
    const std::vector<Fault>& faults = world_.scenario.faults;
    Inject(faults[random_.Uniform(faults.size())]);
    ScheduleNext();
  });
}

void Faults::Heal() {
  healed_ = true;
  world_.trace.Note("faults", "all healed");
  world_.network.Heal();
  world_.network.SetOptions(world_.scenario.calm);
  for (const auto& server : cluster_.servers()) {
    server->Thaw();
    server->SetNormalDisk();
    server->SetDrift(0);
    server->Start();
  }
  for (const auto& proxy : cluster_.proxies()) {
    if (!proxy->running()) cluster_.StartProxy(*proxy);
  }
}

void Faults::Inject(Fault fault) {
  switch (fault) {
    case Fault::kPowerOff:
      return End(End::kPowerOff);
    case Fault::kKill:
      return End(End::kKill);
    case Fault::kStop:
      return End(End::kStop);
    case Fault::kFailedDisk:
      return FailDisk();
    case Fault::kPartition:
      return Partition();
    case Fault::kOneWay:
      return CutOneWay();
    case Fault::kWeather:
      return SetWeather();
    case Fault::kBreakLinks:
      return BreakLinks();
    case Fault::kSlowDisk:
      return SlowDisk();
    case Fault::kFreeze:
      return Freeze();
    case Fault::kTransfer:
      return Transfer();
    case Fault::kClock:
      return TurnClock();
    case Fault::kProxy:
      return random_.OneIn(2) ? KillProxy() : DropConnection();
  }
}

void Faults::Later(Duration min, Duration max, std::function<void()> repair) {
  world_.loop.After(Between(min, max), [this, repair = std::move(repair)] {
    if (!healed_) repair();
  });
}

void Faults::End(sim::End how) {
  if (!random_.OneIn(5)) {
    // The leader half of the time: it has the most to lose.
    SimServer* leader = cluster_.leader();
    return EndServer(leader != nullptr && random_.OneIn(2) ? *leader : AnyServer(), how);
  }
  for (const auto& server : cluster_.servers()) EndServer(*server, how);
}

void Faults::EndServer(SimServer& server, sim::End how) {
  server.Stop(how);
  // Soon enough to be asked for its vote a second time, or not.
  Duration longest = random_.OneIn(2) ? Duration(milliseconds(30)) : Duration(seconds(2));
  Later(milliseconds(1), longest, [&server] { server.Start(); });
}

void Faults::FailDisk() {
  SimServer& server = AnyServer();
  if (random_.OneIn(3)) {
    world_.trace.Note("faults", "the next sync of {} fails", server.name());
    return server.FailSync();
  }
  bool all = random_.OneIn(2);
  for (const auto& s : cluster_.servers()) {
    if (!all && s.get() != &server) continue;
    uint64_t changes = random_.Uniform(20);
    world_.trace.Note("faults", "the power of {} fails after {} changes", s->name(), changes);
    s->FailPowerAfter(changes);
  }
}

// Half of the time the leader is alone but for clients of its own: what a deposed leader would
// still answer.
void Faults::Partition() {
  std::vector<testing::EndpointId> one;
  std::vector<testing::EndpointId> other;
  SimServer* leader = random_.OneIn(2) ? cluster_.leader() : nullptr;
  for (const auto& server : cluster_.servers()) {
    bool first = leader != nullptr ? server.get() == leader : random_.OneIn(2);
    (first ? one : other).push_back(server->endpoint());
  }
  for (const auto& proxy : cluster_.proxies()) {
    bool first = random_.OneIn(2);
    (first ? one : other).push_back(proxy->endpoint());
    // It may notice at once, or after a while.
    if (!first && random_.OneIn(2)) proxy->BreakLinks("partition");
  }
  world_.trace.Note("faults", "partition {} | {}", fmt::join(one, " "), fmt::join(other, " "));
  world_.network.Partition(one, other);
  Later(milliseconds(100), seconds(4), [this] {
    world_.trace.Note("faults", "partitions heal");
    world_.network.Heal();
  });
}

void Faults::CutOneWay() {
  testing::EndpointId victim = AnyServer().endpoint();
  bool incoming = random_.OneIn(2);
  bool all = random_.OneIn(2);
  for (testing::EndpointId e : Endpoints()) {
    if (e == victim || (!all && random_.OneIn(2))) continue;
    world_.trace.Note("faults", "cut {} -> {}", incoming ? e : victim, incoming ? victim : e);
    incoming ? world_.network.Cut(e, victim) : world_.network.Cut(victim, e);
  }
  Later(milliseconds(100), seconds(4), [this] {
    world_.trace.Note("faults", "cuts heal");
    world_.network.Heal();
  });
}

void Faults::SetWeather() {
  testing::NetworkOptions options = world_.scenario.calm;
  if (random_.OneIn(2)) options.loss = 0.3 * random_.Fraction();
  if (random_.OneIn(2)) options.duplicate = 0.3 * random_.Fraction();
  if (random_.OneIn(2)) options.reorder = 0.5 * random_.Fraction();
  if (random_.OneIn(2)) options.max_delay = Between(milliseconds(1), milliseconds(60));
  options.reorder_delay = Between(milliseconds(1), milliseconds(500));
  world_.trace.Note("faults", "weather: loss {:.2f} dup {:.2f} reorder {:.2f} delay {} us",
                    options.loss, options.duplicate, options.reorder,
                    std::chrono::duration_cast<microseconds>(options.max_delay).count());
  world_.network.SetOptions(options);
  Later(milliseconds(200), seconds(5), [this] {
    world_.trace.Note("faults", "calm");
    world_.network.SetOptions(world_.scenario.calm);
  });
}

void Faults::BreakLinks() {
  SimProxy& proxy = AnyProxy();
  world_.trace.Note("faults", "links of {} break", proxy.name());
  proxy.BreakLinks("simulated");
}

void Faults::SlowDisk() {
  SimServer& server = AnyServer();
  if (random_.OneIn(3)) {
    world_.trace.Note("faults", "the disk of {} stalls", server.name());
    server.StallDisk();
  } else {
    world_.trace.Note("faults", "the disk of {} is slow", server.name());
    server.SetDisk(milliseconds(1), Between(milliseconds(5), milliseconds(400)));
  }
  Later(milliseconds(200), seconds(3), [&server] {
    server.Thaw();
    server.SetNormalDisk();
  });
}

void Faults::Freeze() {
  SimServer* leader = cluster_.leader();
  SimServer& server = leader != nullptr && random_.OneIn(2) ? *leader : AnyServer();
  if (random_.OneIn(2)) {
    world_.trace.Note("faults", "{} stands still", server.name());
    server.Freeze();
  } else {
    // The one that drives Raft half of the time: the rest does not hear that it leads no more.
    size_t thread = random_.OneIn(2) ? 0 : random_.Uniform(server.threads());
    world_.trace.Note("faults", "thread {} of {} stands still", thread, server.name());
    if (random_.OneIn(2)) BreakLinks();
    server.Starve(thread);
  }
  Later(milliseconds(50), seconds(4), [this, &server] {
    world_.trace.Note("faults", "{} goes on", server.name());
    server.Thaw();
  });
}

void Faults::Transfer() {
  SimServer* leader = cluster_.leader();
  if (leader == nullptr) return;
  SimServer& target = AnyServer();
  world_.trace.Note("faults", "transfer from {} to {}", leader->name(), target.name());
  leader->replica().TransferLeader(target.id(), [](const absl::Status&) {});
}

void Faults::TurnClock() {
  SimServer& server = AnyServer();
  if (random_.OneIn(2)) {
    double ppm = (random_.Fraction() - 0.5) * (random_.OneIn(4) ? 100'000 : 1000);
    world_.trace.Note("faults", "the clock of {} drifts by {:.0f} ppm", server.name(), ppm);
    return server.SetDrift(ppm);
  }
  int64_t jump = static_cast<int64_t>(random_.Uniform(20'000)) - 10'000;
  bool all = random_.OneIn(4);
  world_.trace.Note("faults", "the clock of {} jumps by {} ms", all ? "all" : server.name(), jump);
  for (const auto& s : cluster_.servers()) {
    if (all || s.get() == &server) s->clock().JumpWall(jump);
  }
}

void Faults::KillProxy() {
  SimProxy& proxy = AnyProxy();
  proxy.Kill();
  Later(milliseconds(10), seconds(1), [this, &proxy] {
    if (!proxy.running()) cluster_.StartProxy(proxy);
  });
}

void Faults::DropConnection() { clients_[random_.Uniform(clients_.size())]->Reconnect(); }

Faults::Duration Faults::Between(Duration min, Duration max) {
  return min + Duration(random_.Uniform(static_cast<uint64_t>((max - min).count()) + 1));
}

SimServer& Faults::AnyServer() {
  return *cluster_.servers()[random_.Uniform(cluster_.servers().size())];
}

SimProxy& Faults::AnyProxy() {
  return *cluster_.proxies()[random_.Uniform(cluster_.proxies().size())];
}

std::vector<testing::EndpointId> Faults::Endpoints() const {
  std::vector<testing::EndpointId> all;
  for (const auto& server : cluster_.servers()) all.push_back(server->endpoint());
  for (const auto& proxy : cluster_.proxies()) all.push_back(proxy->endpoint());
  return all;
}

}  // namespace kdb::sim

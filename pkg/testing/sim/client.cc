#include "pkg/testing/sim/client.h"

#include <fmt/format.h>

#include <utility>

#include "pkg/base/check.h"
#include "pkg/redis/command.h"

namespace kdb::sim {
namespace {

constexpr uint64_t kRegisters = 8;
constexpr uint64_t kNumbers = 6;
constexpr uint64_t kCounters = 3;
constexpr uint64_t kLogs = 3;
constexpr uint64_t kPairs = 2;
constexpr uint64_t kExpiring = 8;  // clients

std::string Key(char kind, uint64_t i) { return fmt::format("{}{}", kind, i); }
std::string PairKey(uint64_t i, char side) { return fmt::format("p{}{}", i, side); }

}  // namespace

Client::Client(World& world, OpLog& log, SimProxy& proxy, int number)
    : world_(world),
      log_(log),
      proxy_(proxy),
      number_(number),
      name_(fmt::format("{}c{}", proxy.name(), number)),
      // One that waits for no write of its own sees what a deposed leader would still serve.
      reads_only_(number % 3 == 2),
      random_(world.loop.random().Next()) {}

void Client::Start() {
  stopped_ = false;
  ScheduleNext();
}

void Client::Reconnect() {
  if (proxy_.running() && proxy_life_ == proxy_.life()) proxy_.router().Forget(order_);
  order_ = routing::ClientOrder();
  proxy_life_ = proxy_.life();
  ++connection_;
  under_way_ = 0;
}

void Client::ScheduleNext() {
  if (std::exchange(scheduled_, true)) return;
  auto mean = static_cast<uint64_t>(std::chrono::nanoseconds(world_.scenario.think).count());
  // Mostly pauses; sometimes a burst.
  testing::SimLoop::Duration pause(random_.OneIn(3) ? 0 : random_.Uniform(2 * mean));
  world_.loop.After(pause, [this] {
    scheduled_ = false;
    Next();
  });
}

void Client::Next() {
  if (stopped_) return;
  if (proxy_life_ != proxy_.life()) Reconnect();
  if (proxy_.running() && under_way_ < static_cast<size_t>(world_.scenario.pipeline))
    Send(DrawCommand());
  // A reply schedules, too; this is for a full pipeline and for a proxy that is down.
  ScheduleNext();
}

void Client::Send(std::vector<std::string> args) {
  ++under_way_;
  // As its I/O thread would.
  proxy_.executor().Post([this, args = std::move(args), connection = connection_] {
    if (connection != connection_) return;
    std::vector<std::string_view> views(args.begin(), args.end());
    const redis::Command* command = nullptr;
    absl::Status resolved = redis::Resolve(views, &command);
    KDB_CHECK(resolved.ok(), "{}", resolved.ToString());
    size_t number = log_.Begin(name_, args);
    proxy_.router().Submit(*command, views, resp::Version::kResp2, order_,
                           [this, connection, number](const std::string& reply) {
                             OnReply(connection, number, reply);
                           });
  });
}

void Client::OnReply(uint64_t connection, size_t number, std::string_view reply) {
  KDB_CHECK(connection == connection_, "a reply to a connection that was forgotten");
  --under_way_;
  if (log_.Answer(number, reply) == Outcome::kDone) ++successes_;
}

void Client::ReadAll() {
  if (proxy_life_ != proxy_.life()) Reconnect();
  auto read = [this](char kind, uint64_t keys) {
    for (uint64_t i = 0; i < keys; ++i) Send({"get", Key(kind, i)});
  };
  read('r', kRegisters);
  read('n', kNumbers);
  read('c', kCounters);
  read('a', kLogs);
  for (uint64_t i = 0; i < kPairs; ++i) Send({"mget", PairKey(i, 'x'), PairKey(i, 'y')});
}

std::vector<std::string> Client::DrawCommand() {
  std::vector<std::string> args = Draw();
  while (reads_only_ && args[0] != "get" && args[0] != "mget") args = Draw();
  return args;
}

std::vector<std::string> Client::Draw() {
  if (world_.scenario.quiet) return DrawExpiring();
  switch (random_.Uniform(12)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return DrawRegister();
    case 4:
    case 5:
      return DrawNumber();
    case 6:
      return DrawMany();
    case 7:
      return DrawPair();
    case 8:
      return DrawExpiring();
    case 9:
    case 10: {
      std::string key = Key('c', random_.Uniform(kCounters));
      return random_.OneIn(3) ? std::vector<std::string>{"get", key}
                              : std::vector<std::string>{"incr", key};
    }
    default: {
      std::string key = Key('a', random_.Uniform(kLogs));
      return random_.OneIn(3) ? std::vector<std::string>{"get", key}
                              : std::vector<std::string>{"append", key, Unique()};
    }
  }
}

std::vector<std::string> Client::DrawRegister() {
  std::string key = Key('r', random_.Uniform(kRegisters));
  switch (random_.Uniform(8)) {
    case 0:
      return {"del", key};
    case 1:
      return {"append", key, Unique()};
    case 2:
    case 3:
    case 4:
      return {"set", key, Unique()};
    default:
      return {"get", key};
  }
}

std::vector<std::string> Client::DrawNumber() {
  std::string key = Key('n', random_.Uniform(kNumbers));
  switch (random_.Uniform(8)) {
    case 0:
      return {"del", key};
    case 1:
      return {"set", key, std::to_string(1000 * (++values_) + static_cast<uint64_t>(number_))};
    case 2:
      return {"incrby", key, std::to_string(1 + random_.Uniform(100))};
    case 3:
    case 4:
      return {"incr", key};
    default:
      return {"get", key};
  }
}

std::vector<std::string> Client::DrawMany() {
  bool write = random_.OneIn(2);
  std::vector<std::string> args{write ? "mset" : "mget"};
  uint64_t first = random_.Uniform(kRegisters);
  for (uint64_t i = 0, n = 2 + random_.Uniform(3); i < n; ++i) {
    args.push_back(Key('r', (first + i) % kRegisters));
    if (write) args.push_back(Unique());
  }
  return args;
}

std::vector<std::string> Client::DrawPair() {
  uint64_t pair = random_.Uniform(kPairs);
  if (random_.OneIn(2)) return {"mget", PairKey(pair, 'x'), PairKey(pair, 'y')};
  std::string value = Unique();
  return {"mset", PairKey(pair, 'x'), value, PairKey(pair, 'y'), value};
}

std::vector<std::string> Client::DrawExpiring() {
  if (random_.OneIn(world_.scenario.quiet ? 20 : 3)) {
    // Its own key: the last value that was set is known.
    return {"set", Key('t', static_cast<uint64_t>(number_)), Unique(), "px",
            std::to_string(50 + random_.Uniform(1500))};
  }
  return {"get", Key('t', random_.Uniform(kExpiring))};
}

std::string Client::Unique() { return fmt::format("[{}.{}]", name_, ++values_); }

}  // namespace kdb::sim

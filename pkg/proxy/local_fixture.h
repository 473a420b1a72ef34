// For tests: runs local commands as a connection would, without one.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pkg/obs/log.h"
#include "pkg/proxy/local_command.h"

namespace kdb::proxy {

class StillClock final : public Clock {
 public:
  Duration Monotonic() const override { return now; }
  int64_t WallMillis() const override { return wall_ms; }
  Duration now = std::chrono::seconds(1000);
  int64_t wall_ms = 1'700'000'000'123;
};

// Answers at once with what the test set, or keeps the last Query's callback.
class ScriptedCatalog final : public CatalogAdmin {
 public:
  void Query(QueryDone done) override {
    if (!hold) return done(reply);
    held = std::move(done);
  }
  void Join(uint64_t, std::vector<std::string>, Done done) override { done(status); }
  void Leave(uint64_t, Done done) override { done(status); }
  void Move(uint64_t, std::vector<uint32_t>, Done done) override { done(status); }

  absl::StatusOr<metapb::QueryReply> reply = metapb::QueryReply();
  absl::Status status;
  bool hold = false;
  QueryDone held;
};

class ScriptedClients final : public ClientDirectory {
 public:
  void List(absl::AnyInvocable<void(std::vector<ClientInfo>)> done) override { done(clients); }
  std::vector<ClientInfo> clients;
};

class LocalCommandTest : public testing::Test {
 protected:
  LocalCommandTest() {
    client_.id = 7;
    client_.address = "10.0.0.1:5000";
    client_.local_address = "10.0.0.2:6379";
    client_.authenticated = true;
    client_.since = client_.last_command_at = clock_.now;
    info_.version = "0.1.0";
    info_.run_id = std::string(40, 'a');
    info_.port = 6379;
    info_.max_clients = 10000;
    info_.max_bulk_bytes = 16 << 20;
    info_.started = clock_.now;
  }

  // The encoded reply. Fails the test unless the handler gives exactly one, now or later; with
  // `catalog_.hold` there is none yet.
  std::string Run(const std::vector<std::string_view>& args);

  StillClock clock_;
  ProxyInfo info_;
  ScriptedCatalog catalog_;
  ScriptedClients clients_;
  ClientInfo client_;
  bool closed_ = false;               // by CloseAfterReply
  std::optional<std::string> later_;  // what Later's Done was given
  UsageTotals usage_;
  // What the shards say: to AskShards, at once.
  std::vector<std::string> shard_replies_{"*2\r\n:5\r\n:1\r\n", "*2\r\n:7\r\n:2\r\n"};
  Passwords open_{"", obs::NullLogger()};
  Passwords* passwords_ = &open_;

 private:
  class Call;
};

class LocalCommandTest::Call final : public LocalCall {
 public:
  Call(LocalCommandTest& test, const redis::Command& command,
       std::span<const std::string_view> args, const ProxyContext& proxy)
      : LocalCall(command, args, test.client_, proxy, test.usage_, writer_),
        test_(test),
        writer_(test.client_.version, out_) {}

  Done Later() override {
    deferred_ = true;
    return [&test = test_](std::string reply) { test.later_ = std::move(reply); };
  }
  void AskShards(const redis::Command& asked, ShardsDone done) override {
    EXPECT_EQ(asked.route, redis::Route::kAllGroups);
    done(test_.shard_replies_);
  }
  void CloseAfterReply() override { test_.closed_ = true; }
  resp::ReplyWriter Writer() override { return {test_.client_.version, out_}; }

  bool deferred() const { return deferred_; }
  const std::string& out() const { return out_; }

 private:
  LocalCommandTest& test_;
  std::string out_;
  resp::ReplyWriter writer_;
  bool deferred_ = false;
};

inline std::string LocalCommandTest::Run(const std::vector<std::string_view>& args) {
  const redis::Command* command = nullptr;
  absl::Status status = redis::Resolve(args, &command);
  if (!status.ok())
    return "refused: " + std::string(status.message().data(), status.message().size());
  ProxyContext proxy{info_, *passwords_, catalog_, clock_, clients_};
  Call call(*this, *command, args, proxy);
  later_.reset();
  FindLocalHandler(command->name)(call);
  if (!call.deferred()) return call.out();
  EXPECT_EQ(call.out(), "") << "a reply now and one later";
  return later_.value_or("");
}

}  // namespace kdb::proxy

// A meta group and fake kv servers in one process, on loopback ports that the system picks.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "pkg/base/mutex.h"
#include "pkg/meta/meta_server.h"
#include "pkg/rpc/meta_client.h"
#include "pkg/testing/temporary_directory.h"
#include "proto/shard.grpc.pb.h"

namespace kdb::meta {

inline constexpr std::chrono::milliseconds kPatience{60000};

// Asks again and again until `condition` holds; fails the test after kPatience.
void Eventually(const char* what, absl::FunctionRef<bool()> condition);

// The Admin service of one kv server, without a shard behind it. Thread-safe.
class FakeKv final : public shardpb::Admin::CallbackService {
 public:
  FakeKv();
  ~FakeKv() override;

  const std::string& address() const { return address_; }
  const std::string& uuid() const { return uuid_; }
  std::optional<catalog::BirthCertificate> birth() const;
  std::vector<shardpb::OwnSlotsRequest> owned() const;
  void SetBirth(const catalog::BirthCertificate& birth);
  // Born: the role that Status tells, and the term.
  void Lead(bool leads, uint64_t term);
  void SetCatalog(const catalog::Catalog& catalog);
  // Answers of AcceptBirth and OwnSlots from now on.
  void SetBirthAnswer(absl::Status status);
  void SetOwnAnswer(absl::Status status);
  void SetHint(const std::string& leader_address);

  grpc::ServerUnaryReactor* Identify(grpc::CallbackServerContext*, const shardpb::IdentifyRequest*,
                                     shardpb::IdentifyReply*) override;
  grpc::ServerUnaryReactor* AcceptBirth(grpc::CallbackServerContext*,
                                        const shardpb::AcceptBirthRequest*,
                                        shardpb::AcceptBirthReply*) override;
  grpc::ServerUnaryReactor* Status(grpc::CallbackServerContext*, const shardpb::StatusRequest*,
                                   shardpb::StatusReply*) override;
  grpc::ServerUnaryReactor* OwnSlots(grpc::CallbackServerContext*, const shardpb::OwnSlotsRequest*,
                                     shardpb::OwnSlotsReply*) override;
  grpc::ServerUnaryReactor* Query(grpc::CallbackServerContext*, const shardpb::QueryRequest*,
                                  shardpb::QueryReply*) override;

 private:
  mutable Mutex mu_;
  std::optional<catalog::BirthCertificate> birth_ ABSL_GUARDED_BY(mu_);
  bool leads_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t term_ ABSL_GUARDED_BY(mu_) = 1;
  absl::Status birth_answer_ ABSL_GUARDED_BY(mu_);
  absl::Status own_answer_ ABSL_GUARDED_BY(mu_);
  std::string hint_ ABSL_GUARDED_BY(mu_);
  catalog::Catalog catalog_ ABSL_GUARDED_BY(mu_);
  std::vector<shardpb::OwnSlotsRequest> owned_ ABSL_GUARDED_BY(mu_);

  std::string uuid_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

// One process of a meta server: may be stopped and started again on the same directory and port.
// Its engine is in memory, so a start replays the whole log.
class MetaProcess {
 public:
  explicit MetaProcess(const std::string& dir);
  ~MetaProcess();

  void Start();
  void Stop();
  // Starts again, at its address, on an empty directory.
  void Wipe();
  MetaServer& server() { return *server_; }
  bool running() const { return server_ != nullptr; }
  const std::string& address() const { return address_; }

 private:
  std::unique_ptr<FileSystem> fs_;
  SystemClock clock_;
  std::unique_ptr<obs::Registry> metrics_;
  std::unique_ptr<Environment> env_;
  ServerOptions options_;
  std::string address_;
  std::unique_ptr<MetaServer> server_;
};

class TestCluster {
 public:
  // Servers that run and are passive.
  explicit TestCluster(int servers);
  ~TestCluster();

  MetaProcess& process(size_t i) { return *processes_[i]; }
  size_t size() const { return processes_.size(); }
  std::vector<std::string> addresses() const;
  rpc::MetaClient& client() { return *client_; }
  // Bootstraps, and waits until the group answers.
  void Bootstrap();
  catalog::Catalog Catalog();
  // The server that leads, once there is one.
  size_t Leader();

 private:
  testing::TemporaryDirectory dir_;
  std::vector<std::unique_ptr<MetaProcess>> processes_;
  std::unique_ptr<rpc::MetaClient> client_;
};

std::vector<std::string> AddressesOf(const std::vector<std::unique_ptr<FakeKv>>& kvs);
std::vector<std::unique_ptr<FakeKv>> FakeKvs(int count);

}  // namespace kdb::meta

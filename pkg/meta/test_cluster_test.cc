#include "pkg/meta/test_cluster_test.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <thread>
#include <utility>

#include "pkg/raftnode/identity.h"
#include "pkg/rpc/channel.h"
#include "pkg/storage/memory_engine.h"

namespace kdb::meta {
namespace {

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(rpc::ToGrpc(status));
  return reactor;
}

}  // namespace

void Eventually(const char* what, absl::FunctionRef<bool()> condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "still waiting for: " << what;
    std::this_thread::yield();
  }
}

FakeKv::FakeKv() {
  Random random(SystemSeed());
  uuid_ = raftnode::NewUuid(random);
  grpc::ServerBuilder builder;
  rpc::ConfigureServer(builder);
  builder.RegisterService(this);
  int port = 0;
  server_ = *rpc::StartServer(builder, "127.0.0.1:0", &port);
  address_ = fmt::format("127.0.0.1:{}", port);
}

FakeKv::~FakeKv() { server_->Shutdown(std::chrono::system_clock::now()); }

std::optional<catalog::BirthCertificate> FakeKv::birth() const {
  MutexLock lock(mu_);
  return birth_;
}

std::vector<shardpb::OwnSlotsRequest> FakeKv::owned() const {
  MutexLock lock(mu_);
  return owned_;
}

void FakeKv::SetBirth(const catalog::BirthCertificate& birth) {
  MutexLock lock(mu_);
  birth_ = birth;
}

void FakeKv::Lead(bool leads, uint64_t term) {
  MutexLock lock(mu_);
  leads_ = leads;
  term_ = term;
}

void FakeKv::SetCatalog(const catalog::Catalog& catalog) {
  MutexLock lock(mu_);
  catalog_ = catalog;
}

void FakeKv::SetBirthAnswer(absl::Status status) {
  MutexLock lock(mu_);
  birth_answer_ = std::move(status);
}

void FakeKv::SetOwnAnswer(absl::Status status) {
  MutexLock lock(mu_);
  own_answer_ = std::move(status);
}

void FakeKv::SetHint(const std::string& leader_address) {
  MutexLock lock(mu_);
  hint_ = leader_address;
}

grpc::ServerUnaryReactor* FakeKv::Identify(grpc::CallbackServerContext* context,
                                           const shardpb::IdentifyRequest*,
                                           shardpb::IdentifyReply* reply) {
  MutexLock lock(mu_);
  reply->set_uuid(uuid_);
  reply->set_program("kdb-kv");
  if (birth_) {
    reply->set_cluster_id(birth_->cluster_id());
    reply->set_gid(birth_->gid());
  }
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* FakeKv::AcceptBirth(grpc::CallbackServerContext* context,
                                              const shardpb::AcceptBirthRequest* request,
                                              shardpb::AcceptBirthReply*) {
  MutexLock lock(mu_);
  if (!birth_answer_.ok()) return Answer(context, birth_answer_);
  birth_ = request->certificate();
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* FakeKv::Status(grpc::CallbackServerContext* context,
                                         const shardpb::StatusRequest*,
                                         shardpb::StatusReply* reply) {
  MutexLock lock(mu_);
  reply->set_uuid(uuid_);
  reply->set_role("passive");
  if (birth_) {
    reply->set_cluster_id(birth_->cluster_id());
    reply->set_gid(birth_->gid());
    reply->set_term(term_);
    reply->set_role(leads_ ? "leader" : "follower");
    for (const catalog::Member& member : birth_->members()) {
      if (member.uuid() == uuid_) reply->set_member_id(member.id());
    }
  }
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* FakeKv::OwnSlots(grpc::CallbackServerContext* context,
                                           const shardpb::OwnSlotsRequest* request,
                                           shardpb::OwnSlotsReply*) {
  MutexLock lock(mu_);
  if (!leads_) {
    rpc::SetLeaderHint(*context, hint_);
    return Answer(context, absl::FailedPreconditionError("not the leader"));
  }
  if (own_answer_.ok()) owned_.push_back(*request);
  return Answer(context, own_answer_);
}

grpc::ServerUnaryReactor* FakeKv::Query(grpc::CallbackServerContext* context,
                                        const shardpb::QueryRequest*, shardpb::QueryReply* reply) {
  MutexLock lock(mu_);
  *reply->mutable_catalog() = catalog_;
  return Answer(context, absl::OkStatus());
}

MetaProcess::MetaProcess(const std::string& dir) : fs_(NewPosixFileSystem()) {
  options_.data_dir = dir;
  options_.listen.address = "127.0.0.1:0";
  options_.admin_listen = "127.0.0.1:0";
  options_.raft.tick = std::chrono::milliseconds(20);
  options_.raft.disk.min_free_bytes = 0;
  options_.reconciler.interval = std::chrono::milliseconds(100);
  options_.reconciler.retry = std::chrono::milliseconds(20);
  Start();
}

MetaProcess::~MetaProcess() { Stop(); }

void MetaProcess::Start() {
  metrics_ = std::make_unique<obs::Registry>();
  env_ = std::make_unique<Environment>(
      Environment{.fs = *fs_,
                  .clock = clock_,
                  .metrics = *metrics_,
                  .logger = obs::NullLogger(),
                  .open_engine = [](const std::string&) { return storage::NewMemoryEngine(); },
                  .on_fatal =
                      [](const absl::Status& status) {
                        ADD_FAILURE() << "the meta server wants to end: " << status;
                      },
                  .seed = SystemSeed()});
  auto server = MetaServer::Start(options_, *env_);
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  address_ = fmt::format("127.0.0.1:{}", server_->port());
  options_.listen.address = address_;
}

void MetaProcess::Stop() {
  server_.reset();
  env_.reset();
}

void MetaProcess::Wipe() {
  Stop();
  std::filesystem::remove_all(options_.data_dir);
  Start();
}

TestCluster::TestCluster(int servers) {
  rpc::MetaClientOptions options;
  for (int i = 0; i < servers; ++i) {
    processes_.push_back(std::make_unique<MetaProcess>(dir_ / std::to_string(i)));
    options.seeds.push_back(processes_.back()->address());
  }
  client_ = std::make_unique<rpc::MetaClient>(options, Random(SystemSeed()));
}

TestCluster::~TestCluster() = default;

std::vector<std::string> TestCluster::addresses() const {
  std::vector<std::string> addresses;
  for (const auto& process : processes_) addresses.push_back(process->address());
  return addresses;
}

void TestCluster::Bootstrap() {
  auto cluster = client_->Bootstrap(addresses(), kPatience);
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  Leader();
}

catalog::Catalog TestCluster::Catalog() {
  auto reply = client_->Query(kPatience);
  EXPECT_TRUE(reply.ok()) << reply.status();
  return reply.ok() ? reply->catalog() : catalog::Catalog();
}

size_t TestCluster::Leader() {
  size_t leader = 0;
  Eventually("a leader of the meta group", [&] {
    auto reply = client_->Query(kPatience);
    if (!reply.ok()) return false;
    for (const metapb::MetaServer& server : reply->servers()) {
      if (!server.leader()) continue;
      leader = server.id() - 1;
      return processes_[leader]->running();
    }
    return false;
  });
  return leader;
}

std::vector<std::string> AddressesOf(const std::vector<std::unique_ptr<FakeKv>>& kvs) {
  std::vector<std::string> addresses;
  for (const auto& kv : kvs) addresses.push_back(kv->address());
  return addresses;
}

std::vector<std::unique_ptr<FakeKv>> FakeKvs(int count) {
  std::vector<std::unique_ptr<FakeKv>> kvs;
  for (int i = 0; i < count; ++i) kvs.push_back(std::make_unique<FakeKv>());
  return kvs;
}

}  // namespace kdb::meta

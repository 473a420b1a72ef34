// Meta servers as processes have them, over loopback: calls, fail-over, birth.
#include "pkg/meta/meta_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "pkg/meta/test_cluster_test.h"
#include "pkg/rpc/channel.h"

namespace kdb::meta {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::vector<uint32_t> Slots(uint32_t first, uint32_t last) {
  std::vector<uint32_t> slots;
  for (uint32_t slot = first; slot <= last; ++slot) slots.push_back(slot);
  return slots;
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// Expects that the server cannot finish the call, and says in time that it waits for `what`. On a
// slow machine the client's own deadline may come first: then once more, with twice the time.
void ExpectUnfinished(const std::string& what,
                      absl::FunctionRef<absl::Status(std::chrono::milliseconds)> call) {
  absl::Status status;
  for (std::chrono::milliseconds timeout{2500}; timeout < kPatience; timeout *= 2) {
    status = call(timeout);
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    if (absl::StrContains(status.message(), what)) return;
  }
  ADD_FAILURE() << "instead of \"" << what << "\": " << status;
}

TEST(MetaServerTest, DemoOfThree) {
  TestCluster cluster(3);
  cluster.Bootstrap();
  auto kvs = FakeKvs(3);
  kvs[1]->Lead(true, 4);
  rpc::MetaClient& client = cluster.client();
  ASSERT_EQ(client.Register(1, AddressesOf(kvs), kPatience), absl::OkStatus());
  EXPECT_EQ(cluster.Catalog().groups(0).state(), catalog::Group::REGISTERED);
  EXPECT_FALSE(kvs[0]->birth().has_value());

  ASSERT_EQ(client.Join(1, AddressesOf(kvs), kPatience), absl::OkStatus());
  catalog::Catalog joined = cluster.Catalog();
  EXPECT_EQ(joined.groups(0).state(), catalog::Group::JOINED);
  EXPECT_EQ(joined.groups(0).leader(), 2u);
  EXPECT_EQ(joined.groups(0).leader_term(), 4u);
  for (const auto& kv : kvs) {
    Eventually("the certificate to be everywhere", [&] { return kv->birth().has_value(); });
    EXPECT_EQ(kv->birth()->cluster_id(), joined.cluster_id());
    EXPECT_EQ(kv->birth()->gid(), 1u);
    EXPECT_EQ(kv->birth()->hash_seed_size(), 2);
    EXPECT_THAT(kv->birth()->members(), SizeIs(3));
  }

  ASSERT_EQ(client.Move(1, Slots(0, 1023), kPatience), absl::OkStatus());
  ASSERT_THAT(kvs[1]->owned(), SizeIs(1));
  EXPECT_EQ(kvs[1]->owned()[0].epoch(), 1u);
  EXPECT_EQ(kvs[1]->owned()[0].slots_size(), 1024);
  catalog::Catalog moved = cluster.Catalog();
  EXPECT_EQ(kvs[1]->owned()[0].assignment(), moved.version());
  ASSERT_THAT(moved.slots(), SizeIs(1));
  EXPECT_EQ(moved.slots(0).last(), 1023u);

  // Again: nothing changes.
  ASSERT_EQ(client.Join(1, AddressesOf(kvs), kPatience), absl::OkStatus());
  ASSERT_EQ(client.Move(1, Slots(3, 5), kPatience), absl::OkStatus());
  EXPECT_EQ(cluster.Catalog().version(), moved.version());
  EXPECT_THAT(kvs[1]->owned(), SizeIs(1));
}

TEST(MetaServerTest, QueryTellsWhoRunsAndLeads) {
  TestCluster cluster(3);
  cluster.Bootstrap();
  auto count = [&](auto pick) {
    auto reply = cluster.client().Query(kPatience);
    int n = 0;
    for (const metapb::MetaServer& server : reply->servers()) n += pick(server);
    return n;
  };
  Eventually("three servers that run", [&] {
    return count([](const auto& s) { return s.running(); }) == 3 &&
           count([](const auto& s) { return s.leader(); }) == 1;
  });
  cluster.process((cluster.Leader() + 1) % 3).Stop();
  Eventually("one that does not",
             [&] { return count([](const auto& s) { return s.running(); }) == 2; });
}

TEST(MetaServerTest, APassiveServerSaysSo) {
  TestCluster cluster(1);
  EXPECT_THAT(Message(cluster.process(0).server().Ready()), HasSubstr("not bootstrapped"));
  EXPECT_TRUE(cluster.process(0).server().Started().ok());
  ExpectUnfinished("not bootstrapped", [&](auto timeout) {
    return cluster.client().Register(1, {"127.0.0.1:1"}, timeout);
  });
  cluster.Bootstrap();
  Eventually("the server to be ready", [&] { return cluster.process(0).server().Ready().ok(); });
}

TEST(MetaServerTest, BootstrapIsOnceForAll) {
  TestCluster cluster(3);
  std::vector<std::string> addresses = cluster.addresses();
  // Whichever server is asked, the first of the list decides.
  rpc::MetaClientOptions options;
  options.seeds = {addresses[2]};
  rpc::MetaClient third(options, Random(1));
  auto id = third.Bootstrap(addresses, kPatience);
  ASSERT_TRUE(id.ok()) << id.status();
  for (int i = 0; i < 3; ++i) {
    auto again = cluster.client().Bootstrap(addresses, kPatience);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, *id);
  }
  absl::Status other = third.Bootstrap({addresses[2], "127.0.0.1:1"}, kPatience).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(other), HasSubstr("bootstrapped already: cluster " + *id));

  // A new server cannot take it into another cluster.
  TestCluster fresh(1);
  absl::Status stolen =
      fresh.client().Bootstrap({fresh.addresses()[0], addresses[0]}, kPatience).status();
  EXPECT_EQ(stolen.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(stolen), HasSubstr(addresses[0] + " belongs to group 0 of cluster " + *id));
}

TEST(MetaServerTest, OnlyTheFirstNamedServerDecidesABootstrap) {
  TestCluster cluster(1);
  FakeKv first;  // does not serve Meta: a call that is passed on to it fails
  absl::Status status =
      cluster.client().Bootstrap({first.address(), cluster.addresses()[0]}, kPatience).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_FALSE(first.birth().has_value());
  EXPECT_THAT(Message(cluster.process(0).server().Ready()), HasSubstr("not bootstrapped"));
}

TEST(MetaServerTest, ADecidedBootstrapGoesOnAfterARestart) {
  TestCluster cluster(1);
  auto peers = FakeKvs(2);
  std::vector<std::string> addresses = {cluster.addresses()[0], peers[0]->address(),
                                        peers[1]->address()};
  for (const auto& peer : peers) peer->SetBirthAnswer(absl::UnavailableError("disk is busy"));
  ExpectUnfinished("1 of 3 meta servers", [&](auto timeout) {
    return cluster.client().Bootstrap(addresses, timeout).status();
  });

  cluster.process(0).Stop();
  cluster.process(0).Start();
  peers[1]->SetBirthAnswer(absl::OkStatus());
  auto id = cluster.client().Bootstrap(addresses, kPatience);
  ASSERT_TRUE(id.ok()) << id.status();
  EXPECT_EQ(peers[1]->birth()->cluster_id(), *id);
  EXPECT_FALSE(peers[0]->birth().has_value());
}

TEST(MetaServerTest, FollowersNameTheLeader) {
  TestCluster cluster(3);
  cluster.Bootstrap();
  size_t leader = cluster.Leader();
  size_t follower = (leader + 1) % 3;
  auto stub = metapb::Meta::NewStub(rpc::NewChannel(cluster.process(follower).address(), "test"));
  Eventually("a hint", [&] {
    grpc::ClientContext context;
    metapb::LeaveRequest request;
    request.set_gid(77);
    metapb::LeaveReply reply;
    grpc::Status status = stub->Leave(&context, request, &reply);
    return status.error_code() == grpc::StatusCode::FAILED_PRECONDITION &&
           rpc::LeaderHint(context) == cluster.process(cluster.Leader()).address();
  });
  EXPECT_EQ(cluster.client().Leave(77, kPatience).code(), absl::StatusCode::kNotFound);
}

TEST(MetaServerTest, JoinRefusesWhatCannotBe) {
  TestCluster cluster(1);
  cluster.Bootstrap();
  rpc::MetaClient& client = cluster.client();
  auto kvs = FakeKvs(2);
  ASSERT_EQ(client.Register(1, AddressesOf(kvs), kPatience), absl::OkStatus());
  absl::Status other = client.Join(1, {kvs[0]->address()}, kPatience);
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(other), HasSubstr("registered with other servers: " + kvs[0]->address()));

  catalog::BirthCertificate elsewhere;
  elsewhere.set_cluster_id("another");
  elsewhere.set_gid(5);
  kvs[1]->SetBirth(elsewhere);
  absl::Status born = client.Join(1, {}, kPatience);
  EXPECT_EQ(born.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(born),
              HasSubstr(kvs[1]->address() + " belongs to group 5 of cluster another"));

  ExpectUnfinished("server 127.0.0.1:1",
                   [&](auto timeout) { return client.Join(2, {"127.0.0.1:1"}, timeout); });
  EXPECT_EQ(client.Join(3, {}, kPatience).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(cluster.Catalog().groups_size(), 1);
}

TEST(MetaServerTest, JoinSaysWhatItWaitsForAndGoesOn) {
  TestCluster cluster(1);
  cluster.Bootstrap();
  auto kvs = FakeKvs(3);
  kvs[0]->SetBirthAnswer(absl::UnavailableError("disk is busy"));
  kvs[1]->SetBirthAnswer(absl::UnavailableError("disk is busy"));
  ExpectUnfinished("disk is busy", [&](auto timeout) {
    return cluster.client().Join(1, AddressesOf(kvs), timeout);
  });
  EXPECT_EQ(cluster.Catalog().groups(0).state(), catalog::Group::BORN);
  // No more calls: the reconciler delivers to a majority, then to the rest.
  kvs[1]->SetBirthAnswer(absl::OkStatus());
  Eventually("the group to join",
             [&] { return cluster.Catalog().groups(0).state() == catalog::Group::JOINED; });
  kvs[0]->SetBirthAnswer(absl::OkStatus());
  Eventually("the last member to be told", [&] { return kvs[0]->birth().has_value(); });
  kvs[2]->Lead(true, 1);
  EXPECT_EQ(cluster.client().Join(1, {}, kPatience), absl::OkStatus());
}

TEST(MetaServerTest, TheNextLeaderFinishesAMove) {
  TestCluster cluster(3);
  cluster.Bootstrap();
  auto kvs = FakeKvs(1);
  kvs[0]->Lead(true, 1);
  ASSERT_EQ(cluster.client().Join(1, AddressesOf(kvs), kPatience), absl::OkStatus());
  kvs[0]->SetOwnAnswer(absl::UnavailableError("not now"));
  ExpectUnfinished("does not serve the slots yet: server " + kvs[0]->address() + ": not now",
                   [&](auto timeout) { return cluster.client().Move(1, {7}, timeout); });

  cluster.process(cluster.Leader()).Stop();
  kvs[0]->SetOwnAnswer(absl::OkStatus());
  Eventually("the next leader", [&] { return !kvs[0]->owned().empty(); });
  EXPECT_THAT(kvs[0]->owned()[0].slots(), ElementsAre(7));
  // Acknowledged once: a repeated call is answered from the state.
  EXPECT_EQ(cluster.client().Move(1, {7}, kPatience), absl::OkStatus());
}

TEST(MetaServerTest, MoveFollowsTheGroupsLeader) {
  TestCluster cluster(1);
  cluster.Bootstrap();
  auto kvs = FakeKvs(3);
  kvs[0]->Lead(true, 1);
  ASSERT_EQ(cluster.client().Join(1, AddressesOf(kvs), kPatience), absl::OkStatus());
  // The catalog still names member 1.
  kvs[0]->Lead(false, 1);
  kvs[0]->SetHint(kvs[2]->address());
  kvs[2]->Lead(true, 2);
  ASSERT_EQ(cluster.client().Move(1, {1, 2}, kPatience), absl::OkStatus());
  EXPECT_THAT(kvs[2]->owned(), SizeIs(1));
  // Nor does a missing hint stop it.
  kvs[0]->SetHint("");
  ASSERT_EQ(cluster.client().Move(1, {3}, kPatience), absl::OkStatus());
  EXPECT_THAT(kvs[2]->owned(), SizeIs(2));
}

TEST(MetaServerTest, ASlotWithAnOwnerStays) {
  TestCluster cluster(1);
  cluster.Bootstrap();
  rpc::MetaClient& client = cluster.client();
  auto one = FakeKvs(1), two = FakeKvs(1);
  one[0]->Lead(true, 1);
  two[0]->Lead(true, 1);
  EXPECT_EQ(client.Move(1, {0}, kPatience).code(), absl::StatusCode::kNotFound);
  ASSERT_EQ(client.Join(1, AddressesOf(one), kPatience), absl::OkStatus());
  ASSERT_EQ(client.Join(2, AddressesOf(two), kPatience), absl::OkStatus());
  ASSERT_EQ(client.Move(1, {5}, kPatience), absl::OkStatus());
  absl::Status status = client.Move(2, {4, 5}, kPatience);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr("slot 5 belongs to group 1: moving a slot that has an "
                                         "owner is not supported by this version"));
  EXPECT_THAT(two[0]->owned(), SizeIs(0));
  EXPECT_EQ(client.Leave(1, kPatience).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(client.Leave(2, kPatience), absl::OkStatus());
  EXPECT_EQ(client.Leave(2, kPatience), absl::OkStatus());
}

TEST(MetaServerTest, ReportsChangeTheLeaderOnlyByNewerTerms) {
  TestCluster cluster(1);
  cluster.Bootstrap();
  auto kvs = FakeKvs(2);
  kvs[0]->Lead(true, 3);
  ASSERT_EQ(cluster.client().Join(1, AddressesOf(kvs), kPatience), absl::OkStatus());
  catalog::Catalog before = cluster.Catalog();
  metapb::ReportRequest report;
  report.set_cluster_id(before.cluster_id());
  report.set_gid(1);
  report.set_leader(2);
  report.set_term(3);
  EXPECT_EQ(cluster.client().Report(report, kPatience)->catalog_version(), before.version());
  report.set_term(4);
  EXPECT_GT(cluster.client().Report(report, kPatience)->catalog_version(), before.version());
  EXPECT_EQ(cluster.Catalog().groups(0).leader(), 2u);
  report.set_cluster_id("another");
  EXPECT_EQ(cluster.client().Report(report, kPatience).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(MetaServerTest, LeadershipGoesWhereItIsSent) {
  TestCluster cluster(3);
  cluster.Bootstrap();
  uint64_t target = (cluster.Leader() + 1) % 3 + 1;
  Eventually("the transfer", [&] {
    return cluster.client().TransferLeader(0, target, kPatience).ok() &&
           cluster.Leader() + 1 == target;
  });
  EXPECT_EQ(cluster.client().TransferLeader(9, 1, kPatience).code(), absl::StatusCode::kNotFound);
}

TEST(MetaServerTest, ARestartKeepsTheCatalog) {
  TestCluster cluster(3);
  cluster.Bootstrap();
  auto kvs = FakeKvs(1);
  ASSERT_EQ(cluster.client().Register(1, AddressesOf(kvs), kPatience), absl::OkStatus());
  catalog::Catalog before = cluster.Catalog();
  for (size_t i = 0; i < 3; ++i) cluster.process(i).Stop();
  for (size_t i = 0; i < 3; ++i) cluster.process(i).Start();
  Eventually("the catalog of before", [&] {
    return cluster.Catalog().version() == before.version() &&
           cluster.Catalog().groups_size() == before.groups_size();
  });
}

}  // namespace
}  // namespace kdb::meta

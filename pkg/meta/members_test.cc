// Members of meta itself, and those of shard groups as meta hears of them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "absl/strings/match.h"
#include "pkg/meta/test_cluster_test.h"
#include "pkg/rpc/catalog_watcher.h"

namespace kdb::meta {
namespace {

using memberpb::ChangeMembersRequest;
using ::testing::HasSubstr;
using ::testing::SizeIs;

ChangeMembersRequest Add(uint64_t gid, const std::string& address) {
  ChangeMembersRequest request;
  request.set_gid(gid);
  request.mutable_add()->set_address(address);
  return request;
}

ChangeMembersRequest Replace(uint64_t gid, uint64_t id, const std::string& address) {
  ChangeMembersRequest request;
  request.set_gid(gid);
  request.mutable_replace()->set_id(id);
  request.mutable_replace()->set_address(address);
  return request;
}

ChangeMembersRequest Remove(uint64_t gid, uint64_t id) {
  ChangeMembersRequest request;
  request.set_gid(gid);
  request.mutable_remove()->set_id(id);
  return request;
}

class MetaMembersTest : public ::testing::Test {
 protected:
  explicit MetaMembersTest(int servers) : cluster_(servers) {}

  // The message of the refusal.
  std::string Refusal(const ChangeMembersRequest& request) {
    absl::Status status = cluster_.client().ChangeMembers(request, kPatience).status();
    EXPECT_FALSE(status.ok());
    return std::string(status.message());
  }
  uint64_t Change(const ChangeMembersRequest& request) {
    auto reply = cluster_.client().ChangeMembers(request, kPatience);
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? reply->id() : 0;
  }
  // "1,2,4" once that is so, as the catalog says.
  void AwaitVoters(rpc::MetaClient& client, const std::string& ids) {
    Eventually("the voters", [&] {
      auto reply = client.Query(kPatience);
      if (!reply.ok()) return false;
      std::vector<uint64_t> voters;
      for (const catalog::Member& m : reply->catalog().meta().members()) {
        if (m.role() == catalog::Member::VOTER) voters.push_back(m.id());
      }
      return fmt::format("{}", fmt::join(voters, ",")) == ids;
    });
  }
  void Join(uint64_t gid, const std::vector<std::unique_ptr<FakeKv>>& kvs) {
    kvs[0]->Lead(true, 1);
    ASSERT_EQ(cluster_.client().Join(gid, AddressesOf(kvs), kPatience), absl::OkStatus());
  }

  testing::TemporaryDirectory dir_;
  TestCluster cluster_;
};

class MetaOfOneTest : public MetaMembersTest {
 protected:
  MetaOfOneTest() : MetaMembersTest(1) {}
};

class MetaOfThreeTest : public MetaMembersTest {
 protected:
  MetaOfThreeTest() : MetaMembersTest(3) {}
};

TEST_F(MetaOfThreeTest, FoundersAreReplacedAtTheirAddressesAndBootstrapMayBeRepeated) {
  cluster_.Bootstrap();
  std::vector<uint64_t> ids = {1, 2, 3};
  for (uint64_t next : {4, 5}) {
    const size_t wiped = (cluster_.Leader() + 1) % 3;
    cluster_.process(wiped).Wipe();
    EXPECT_EQ(Change(Replace(0, ids[wiped], cluster_.addresses()[wiped])), next);
    ids[wiped] = next;
    std::vector<uint64_t> sorted = ids;
    std::sort(sorted.begin(), sorted.end());
    AwaitVoters(cluster_.client(), fmt::format("{}", fmt::join(sorted, ",")));
  }
  // Whichever is asked: the founder that is left, or the others.
  for (const std::string& address : cluster_.addresses()) {
    rpc::MetaClient client({.seeds = {address}}, Random(1));
    auto cluster = client.Bootstrap(cluster_.addresses(), kPatience);
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    EXPECT_EQ(*cluster, cluster_.Catalog().cluster_id());
  }
}

TEST_F(MetaOfOneTest, AMetaServerIsAddedAndReplacesTheFirst) {
  cluster_.Bootstrap();
  MetaProcess second(dir_ / "second");
  EXPECT_EQ(Change(Add(0, second.address())), 2u);
  EXPECT_EQ(Change(Add(0, second.address())), 2u);  // repeated
  AwaitVoters(cluster_.client(), "1,2");
  MetaProcess third(dir_ / "third");
  // A client and a watcher that were given the first alone.
  cluster_.client().Learn(rpc::MetaServersOf(cluster_.Catalog()));
  std::atomic<uint64_t> watched = 0;
  rpc::CatalogWatcherOptions options;
  options.meta_seeds = cluster_.addresses();
  rpc::CatalogWatcher watcher(
      options, [&](const catalog::Catalog& catalog) { watched = catalog.version(); },
      obs::NullLogger(), Random(1));
  // Also one that leads: it hands over first.
  EXPECT_EQ(Change(Replace(0, 1, third.address())), 3u);
  AwaitVoters(cluster_.client(), "2,3");
  // It hears that it is none any more, and sends clients away.
  Eventually("the first to know", [&] {
    return absl::StrContains(cluster_.process(0).server().Ready().message(), "was removed from");
  });
  Eventually("the watcher to go on", [&] { return watched == cluster_.Catalog().version(); });
  cluster_.process(0).Stop();
  auto reply = cluster_.client().Query(kPatience);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_THAT(reply->servers(), SizeIs(2));
  // Again, by the founder's address, also of those who came later.
  EXPECT_TRUE(cluster_.client().Bootstrap(cluster_.addresses(), kPatience).ok());
  // From its disk alone.
  third.Stop();
  third.Start();
  Eventually("the third to be ready", [&] { return third.server().Ready().ok(); });
}

TEST_F(MetaOfOneTest, ListsItsOwnMembers) {
  cluster_.Bootstrap();
  memberpb::ListMembersRequest request;
  auto list = cluster_.client().ListMembers(request, kPatience);
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->leader(), 1u);
  EXPECT_EQ(list->highest_id(), 1u);
  ASSERT_THAT(list->members(), SizeIs(1));
  EXPECT_EQ(list->members(0).member().address(), cluster_.process(0).address());
  EXPECT_TRUE(list->members(0).active());
}

TEST_F(MetaOfOneTest, RefusesWhatItKnowsToBeWrong) {
  cluster_.Bootstrap();
  EXPECT_EQ(Refusal(Add(9, "h:1")), "there is no group 9: no group was registered yet");
  auto first = FakeKvs(1), second = FakeKvs(1);
  Join(1, first);
  ASSERT_EQ(cluster_.client().Register(2, AddressesOf(second), kPatience), absl::OkStatus());
  EXPECT_EQ(Refusal(Add(9, "h:1")), "there is no group 9: the groups are 1,2");
  EXPECT_EQ(Refusal(Remove(2, 1)),
            "group 2 is registered, and has not joined: it has no members yet; join it first");
  EXPECT_EQ(Refusal(Add(1, second[0]->address())),
            fmt::format("{} is the address of member 1 of group 2: a server is a member of one "
                        "group; nothing was changed",
                        second[0]->address()));
  EXPECT_EQ(Refusal(Replace(1, 1, cluster_.process(0).address())),
            fmt::format("{} is the address of member 1 of the meta group: a server is a member of "
                        "one group; nothing was changed",
                        cluster_.process(0).address()));
  ChangeMembersRequest stranger = Remove(1, 1);
  stranger.set_cluster_id("nobody");
  EXPECT_EQ(Refusal(stranger),
            fmt::format("this is cluster {}, not nobody: ask the meta servers of that one; nothing "
                        "was changed",
                        cluster_.Catalog().cluster_id()));
}

TEST_F(MetaOfOneTest, HandsWrongCallsOnItsOwnGroupToTheKeeper) {
  cluster_.Bootstrap();
  EXPECT_THAT(Refusal(Remove(0, 1)), HasSubstr("member 1 is the last voter of the meta group"));
  EXPECT_THAT(Refusal(Remove(0, 7)),
              HasSubstr("the meta group has no member 7: its members are 1"));
  EXPECT_THAT(Refusal(Add(0, "")), HasSubstr("the member's address is missing"));
  auto kvs = FakeKvs(1);
  EXPECT_THAT(Refusal(Add(0, kvs[0]->address())), HasSubstr("is a kdb-kv, the meta group has"));
  EXPECT_THAT(Refusal(ChangeMembersRequest()), HasSubstr("names no change"));
}

TEST_F(MetaOfOneTest, TheCatalogFollowsWhatLeadersReport) {
  cluster_.Bootstrap();
  auto kvs = FakeKvs(2);
  Join(1, kvs);
  metapb::ReportRequest report;
  report.set_cluster_id(cluster_.Catalog().cluster_id());
  report.set_gid(1);
  report.set_leader(3);
  report.set_term(2);
  report.set_members_index(17);
  for (uint64_t id : {1, 3}) {
    catalog::Member* member = report.add_members();
    member->set_id(id);
    member->set_address(fmt::format("h{}:1", id));
    member->set_uuid(fmt::format("u{}", id));
  }
  auto version = cluster_.client().Report(report, kPatience);
  ASSERT_TRUE(version.ok()) << version.status();
  catalog::Group group = cluster_.Catalog().groups(0);
  EXPECT_EQ(group.leader(), 3u);
  EXPECT_EQ(group.members_index(), 17u);
  ASSERT_THAT(group.members(), SizeIs(2));
  EXPECT_EQ(group.members(1).address(), "h3:1");
  // Also who joins it again, as it was born or as it is.
  EXPECT_EQ(cluster_.client().Join(1, AddressesOf(kvs), kPatience), absl::OkStatus());
  EXPECT_EQ(cluster_.client().Register(1, {"h1:1", "h3:1"}, kPatience), absl::OkStatus());
  EXPECT_EQ(cluster_.client().Register(1, {"h3:1"}, kPatience).code(),
            absl::StatusCode::kFailedPrecondition);
  // Again: nothing is logged.
  EXPECT_EQ(cluster_.client().Report(report, kPatience)->catalog_version(),
            version->catalog_version());
}

}  // namespace
}  // namespace kdb::meta

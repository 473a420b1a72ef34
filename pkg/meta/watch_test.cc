// Watch, as proxies and kv servers use it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "pkg/meta/test_cluster_test.h"
#include "pkg/rpc/catalog_watcher.h"
#include "pkg/rpc/channel.h"

namespace kdb::meta {
namespace {

// What a watcher was given. Thread-safe.
class Seen {
 public:
  rpc::CatalogWatcher::OnCatalog Sink() {
    return [this](const catalog::Catalog& catalog) {
      MutexLock lock(mu_);
      if (!catalogs_.empty()) {
        EXPECT_GT(catalog.version(), catalogs_.back().version());
      }
      catalogs_.push_back(catalog);
    };
  }
  uint64_t version() {
    MutexLock lock(mu_);
    return catalogs_.empty() ? 0 : catalogs_.back().version();
  }
  size_t count() {
    MutexLock lock(mu_);
    return catalogs_.size();
  }

 private:
  Mutex mu_;
  std::vector<catalog::Catalog> catalogs_ ABSL_GUARDED_BY(mu_);
};

rpc::CatalogWatcherOptions MetaSeeds(const TestCluster& cluster) {
  rpc::CatalogWatcherOptions options;
  options.meta_seeds = cluster.addresses();
  options.min_backoff = std::chrono::milliseconds(10);
  options.max_backoff = std::chrono::milliseconds(100);
  return options;
}

TEST(WatchTest, GivesThePresentCatalogThenEveryChange) {
  TestCluster cluster(3);
  Seen seen;
  // Before the cluster is born: it waits.
  rpc::CatalogWatcher watcher(MetaSeeds(cluster), seen.Sink(), obs::NullLogger(), Random(1));
  cluster.Bootstrap();
  Eventually("the first catalog", [&] { return seen.version() == cluster.Catalog().version(); });
  auto kvs = FakeKvs(1);
  ASSERT_EQ(cluster.client().Register(1, AddressesOf(kvs), kPatience), absl::OkStatus());
  Eventually("the group", [&] { return seen.version() == cluster.Catalog().version(); });
  EXPECT_GE(seen.count(), 2u);
}

TEST(WatchTest, GoesOnAtAnotherServer) {
  TestCluster cluster(3);
  cluster.Bootstrap();
  Seen seen;
  rpc::CatalogWatcher watcher(MetaSeeds(cluster), seen.Sink(), obs::NullLogger(), Random(1));
  Eventually("the first catalog", [&] { return seen.version() > 0; });
  auto kvs = FakeKvs(3);
  for (uint64_t i = 0; i < 3; ++i) {
    cluster.process(i).Stop();
    ASSERT_EQ(cluster.client().Register(i + 1, {kvs[i]->address()}, kPatience), absl::OkStatus());
    Eventually("the group", [&] { return seen.version() == cluster.Catalog().version(); });
    cluster.process(i).Start();
  }
}

TEST(WatchTest, AsksKvServersWhileMetaIsDown) {
  FakeKv kv;
  catalog::Catalog cached;
  cached.set_cluster_id("c1");
  cached.set_version(9);
  kv.SetCatalog(cached);
  rpc::CatalogWatcherOptions options;
  options.meta_seeds = {"127.0.0.1:1"};
  options.kv_seeds = {"127.0.0.1:2", kv.address()};
  Seen seen;
  rpc::CatalogWatcher watcher(options, seen.Sink(), obs::NullLogger(), Random(1));
  Eventually("the cached catalog", [&] { return seen.version() == 9; });
}

TEST(WatchTest, RefusesTheCatalogOfAnotherCluster) {
  FakeKv foreign, own;
  catalog::Catalog cached;
  cached.set_cluster_id("c2");
  cached.set_version(11);
  foreign.SetCatalog(cached);
  cached.set_cluster_id("c1");
  cached.set_version(10);
  own.SetCatalog(cached);
  rpc::CatalogWatcherOptions options;
  options.kv_seeds = {foreign.address(), own.address()};
  options.cluster_id = "c1";
  Seen seen;
  rpc::CatalogWatcher watcher(options, seen.Sink(), obs::NullLogger(), Random(1));
  Eventually("the own catalog", [&] { return seen.version() == 10; });
  EXPECT_EQ(seen.count(), 1u);
}

TEST(WatchTest, ASlowWatcherSkipsVersions) {
  TestCluster cluster(1);
  cluster.Bootstrap();
  auto stub = metapb::Meta::NewStub(rpc::NewChannel(cluster.addresses()[0], "test"));
  grpc::ClientContext context;
  auto stream = stub->Watch(&context, {});
  metapb::WatchReply reply;
  ASSERT_TRUE(stream->Read(&reply));
  auto kvs = FakeKvs(1);
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(cluster.client().Register(1, AddressesOf(kvs), kPatience), absl::OkStatus());
    ASSERT_EQ(cluster.client().Leave(1, kPatience), absl::OkStatus());
  }
  const uint64_t last = cluster.Catalog().version();
  uint64_t version = reply.catalog().version();
  while (version < last) {
    ASSERT_TRUE(stream->Read(&reply));
    EXPECT_GT(reply.catalog().version(), version);
    version = reply.catalog().version();
  }
  EXPECT_EQ(version, last);
  // Stopping the server ends the stream.
  cluster.process(0).Stop();
  EXPECT_FALSE(stream->Read(&reply));
}

}  // namespace
}  // namespace kdb::meta

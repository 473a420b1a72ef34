#include "pkg/server/catalog_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/env/memory_file_system.h"

namespace kdb::server {
namespace {

using ::testing::HasSubstr;

constexpr char kPath[] = "/catalog";

catalog::Catalog CatalogOf(const std::string& cluster, uint64_t version) {
  catalog::Catalog catalog;
  catalog.set_cluster_id(cluster);
  catalog.set_version(version);
  return catalog;
}

class CatalogCacheTest : public ::testing::Test {
 protected:
  CatalogCache Open(const std::string& cluster = "") {
    return CatalogCache(fs_, kPath, obs::NullLogger(), cluster);
  }

  MemoryFileSystem fs_;
};

TEST_F(CatalogCacheTest, KeepsTheNewest) {
  CatalogCache cache = Open();
  EXPECT_EQ(cache.cluster_id(), "");
  EXPECT_TRUE(cache.Update(CatalogOf("c1", 5)));
  EXPECT_FALSE(cache.Update(CatalogOf("c1", 5)));
  EXPECT_FALSE(cache.Update(CatalogOf("c1", 4)));
  fs_.Crash();
  EXPECT_EQ(Open().Get().version(), 5u);
}

TEST_F(CatalogCacheTest, FollowsTheFirstClusterForLife) {
  EXPECT_TRUE(Open().Update(CatalogOf("c1", 5)));
  CatalogCache cache = Open();  // passive still, and restarted
  EXPECT_EQ(cache.cluster_id(), "c1");
  EXPECT_FALSE(cache.Update(CatalogOf("c2", 9)));
  EXPECT_EQ(cache.Get().cluster_id(), "c1");
  EXPECT_TRUE(cache.CheckCluster("c1").ok());
  absl::Status refused = cache.CheckCluster("c2");
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(refused.ToString(), HasSubstr("follows cluster c1, not c2"));
  EXPECT_THAT(refused.ToString(), HasSubstr("remove /catalog"));
  EXPECT_EQ(Open().Get().version(), 5u);
}

TEST_F(CatalogCacheTest, TheBirthCountsMoreThanACatalog) {
  EXPECT_TRUE(Open().Update(CatalogOf("c1", 5)));
  CatalogCache born = Open("c2");
  EXPECT_EQ(born.Get().version(), 0u);
  EXPECT_FALSE(born.Update(CatalogOf("c1", 6)));
  EXPECT_TRUE(born.Update(CatalogOf("c2", 1)));

  CatalogCache cache = Open();
  cache.Adopt("c2");
  EXPECT_EQ(cache.Get().version(), 1u);
  cache.Adopt("c3");
  EXPECT_EQ(cache.Get().version(), 0u);
  EXPECT_TRUE(cache.Update(CatalogOf("c3", 1)));
}

TEST_F(CatalogCacheTest, GoldenBytes) {
  EXPECT_TRUE(Open().Update(CatalogOf("c", 1)));
  const std::string bytes = *ReadFile(fs_, kPath);
  EXPECT_EQ(bytes[0], '\x01');
  EXPECT_EQ(bytes.substr(5), CatalogOf("c", 1).SerializeAsString());
}

TEST_F(CatalogCacheTest, DamageAndOtherVersionsAreIgnored) {
  EXPECT_TRUE(Open().Update(CatalogOf("c1", 5)));
  const std::string whole = *ReadFile(fs_, kPath);
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] ^= 1;
    ASSERT_TRUE(WriteFileDurably(fs_, kPath, damaged).ok());
    EXPECT_EQ(Open().Get().version(), 0u) << at;
    ASSERT_TRUE(WriteFileDurably(fs_, kPath, whole.substr(0, at)).ok());
    EXPECT_EQ(Open().Get().version(), 0u) << at;
  }
  EXPECT_TRUE(Open().Update(CatalogOf("c2", 1)));
}

}  // namespace
}  // namespace kdb::server

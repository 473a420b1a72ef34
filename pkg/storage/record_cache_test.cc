#include "pkg/storage/record_cache.h"

#include <gtest/gtest.h>

#include <map>

#include "pkg/base/random.h"

namespace kdb::storage {
namespace {

TEST(RecordCacheTest, KeepsWhatIsUsedAndForgetsTheRest) {
  RecordCache cache(20'000);
  cache.Add("hot", "value");
  for (int i = 0; i < 1000; ++i) {
    cache.Add("cold" + std::to_string(i), "value");
    ASSERT_NE(cache.Find("hot"), nullptr) << i;
    ASSERT_LE(cache.bytes(), 20'000) << i;
  }
  EXPECT_EQ(cache.Find("cold0"), nullptr);
  EXPECT_NE(cache.Find("cold999"), nullptr);
}

TEST(RecordCacheTest, UpdateAddsNothing) {
  RecordCache cache(1 << 20);
  cache.Update("k", "v");
  EXPECT_EQ(cache.Find("k"), nullptr);
  cache.Add("k", "v");
  cache.Update("k", "w");
  EXPECT_EQ(*cache.Find("k"), "w");
}

TEST(RecordCacheTest, LongValuesAreNotKept) {
  RecordCache cache(1 << 20);
  cache.Add("k", "v");
  cache.Update("k", std::string(2000, 'x'));
  EXPECT_EQ(cache.Find("k"), nullptr);
  cache.Add("k", std::string(2000, 'x'));
  EXPECT_EQ(cache.Find("k"), nullptr);
  EXPECT_EQ(cache.bytes(), 0);
}

TEST(RecordCacheTest, WithoutRoomItKeepsNothing) {
  RecordCache cache(0);
  cache.Add("k", "v");
  EXPECT_EQ(cache.Find("k"), nullptr);
}

TEST(RecordCacheTest, NeverAnswersWhatIsOld) {
  const uint64_t seed = SystemSeed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  RecordCache cache(3000);
  std::map<std::string, std::string> engine;
  for (int i = 0; i < 20'000; ++i) {
    std::string key = std::to_string(random.Uniform(60));
    std::string value(random.Uniform(30), static_cast<char>('a' + random.Uniform(26)));
    switch (random.Uniform(5)) {
      case 0:
        engine[key] = value;
        cache.Update(key, value);
        break;
      case 1:
        engine.erase(key);
        cache.Erase(key);
        break;
      default:
        if (const std::string* known = cache.Find(key)) {
          ASSERT_TRUE(engine.contains(key)) << key;
          ASSERT_EQ(*known, engine[key]) << key;
        } else if (engine.contains(key)) {
          cache.Add(key, engine[key]);
        }
    }
    if (random.OneIn(1000)) cache.Clear();
  }
}

}  // namespace
}  // namespace kdb::storage

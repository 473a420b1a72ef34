#include "pkg/shard/slot_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>

namespace kdb::shard {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Range {
  uint32_t first, last;
  uint64_t gid, epoch;
};

catalog::Catalog MakeCatalog(std::initializer_list<uint64_t> gids,
                             std::initializer_list<Range> ranges) {
  catalog::Catalog catalog;
  catalog.set_version(7);
  for (uint64_t gid : gids) catalog.add_groups()->set_gid(gid);
  for (const Range& r : ranges) {
    catalog::SlotRange* range = catalog.add_slots();
    range->set_first(r.first);
    range->set_last(r.last);
    range->set_gid(r.gid);
    range->set_epoch(r.epoch);
  }
  return catalog;
}

TEST(SlotTableTest, ShowsOwnersAndGroups) {
  auto table = SlotTable::Build(MakeCatalog({1, 2, 5}, {{0, 3, 2, 1}, {4, 4, 1, 3}, {9, 9, 2, 1}}));
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ((*table)->version(), 7u);
  EXPECT_EQ((*table)->owner(3), (SlotOwner{.gid = 2, .epoch = 1}));
  EXPECT_EQ((*table)->owner(4), (SlotOwner{.gid = 1, .epoch = 3}));
  EXPECT_EQ((*table)->owner(5), SlotOwner{});
  EXPECT_THAT((*table)->serving_groups(), ElementsAre(1, 2));
  EXPECT_THAT((*table)->SlotsOf(2), ElementsAre(0, 1, 2, 3, 9));
  EXPECT_THAT((*table)->SlotsOf(5), IsEmpty());
  ASSERT_NE((*table)->group(5), nullptr);
  EXPECT_EQ((*table)->group(5)->gid(), 5u);
  EXPECT_EQ((*table)->group(3), nullptr);
}

TEST(SlotTableTest, AnEmptyCatalogOwnsNothing) {
  auto table = SlotTable::Build({});
  ASSERT_TRUE(table.ok());
  EXPECT_THAT((*table)->serving_groups(), IsEmpty());
  EXPECT_EQ((*table)->owner(kSlots - 1), SlotOwner{});
}

TEST(SlotTableTest, RefusesWhatIsNotACatalog) {
  struct Case {
    catalog::Catalog catalog;
    const char* message;
  };
  const Case cases[] = {
      {MakeCatalog({1}, {{0, 5, 1, 1}, {5, 6, 1, 1}}), "overlaps"},
      {MakeCatalog({1}, {{6, 7, 1, 1}, {0, 1, 1, 1}}), "overlaps or precedes"},
      {MakeCatalog({1}, {{0, 1024, 1, 1}}), "out of bounds"},
      {MakeCatalog({1}, {{3, 2, 1, 1}}), "out of bounds"},
      {MakeCatalog({1}, {{0, 0xFFFFFFFF, 1, 1}}), "out of bounds"},
      {MakeCatalog({1}, {{0, 1, 2, 1}}), "group 2"},
      {MakeCatalog({1}, {{0, 1, 0, 1}}), "no group"},
      {MakeCatalog({1}, {{0, 1, 1, 0}}), "no epoch"},
      {MakeCatalog({2, 1}, {}), "ascending"},
      {MakeCatalog({1, 1}, {}), "ascending"},
  };
  for (const Case& c : cases) {
    auto table = SlotTable::Build(c.catalog);
    EXPECT_EQ(table.status().code(), absl::StatusCode::kInvalidArgument) << c.message;
    EXPECT_THAT(std::string(table.status().message()), HasSubstr(c.message));
  }
}

TEST(SlotTableTest, RangesAreTheShortestListAndBuildAgain) {
  std::array<SlotOwner, kSlots> owners{};
  for (Slot s = 0; s < 10; ++s) owners[s] = {.gid = 1, .epoch = 1};
  owners[4] = {.gid = 1, .epoch = 2};  // another epoch is another range
  for (Slot s = 1000; s < kSlots; ++s) owners[s] = {.gid = 2, .epoch = 1};
  std::vector<catalog::SlotRange> ranges = ToRanges(owners);
  ASSERT_EQ(ranges.size(), 4u);
  EXPECT_EQ(ranges[0].last(), 3u);
  EXPECT_EQ(ranges[1].first(), 4u);
  EXPECT_EQ(ranges[2].first(), 5u);
  EXPECT_EQ(ranges[3].last(), kSlots - 1u);

  catalog::Catalog catalog = MakeCatalog({1, 2}, {});
  catalog.mutable_slots()->Add(ranges.begin(), ranges.end());
  auto table = SlotTable::Build(catalog);
  ASSERT_TRUE(table.ok()) << table.status();
  for (Slot s = 0; s < kSlots; ++s) EXPECT_EQ((*table)->owner(s), owners[s]) << s;
}

}  // namespace
}  // namespace kdb::shard

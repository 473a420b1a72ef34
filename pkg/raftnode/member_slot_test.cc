#include "pkg/raftnode/member_slot.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace kdb::raftnode {
namespace {

TEST(MemberSlot, IsEmptyUntilSetAndOnceTaken) {
  MemberSlot<int> slot;
  EXPECT_EQ(slot.Use(), nullptr);
  EXPECT_EQ(slot.Take(), nullptr);
  slot.Set(std::make_unique<int>(7));
  EXPECT_EQ(*slot.Use(), 7);
  EXPECT_EQ(*slot.Take(), 7);
  EXPECT_EQ(slot.Use(), nullptr);
}

TEST(MemberSlot, TakeWaitsForAllUses) {
  MemberSlot<std::atomic<int>> slot;
  slot.Set(std::make_unique<std::atomic<int>>(0));
  auto first = slot.Use();
  auto second = first;
  std::atomic<bool> taken = false;
  std::thread taker([&] {
    slot.Take();
    taken = true;
  });
  while (slot.Use() != nullptr) std::this_thread::yield();
  EXPECT_FALSE(taken);
  first = nullptr;
  EXPECT_FALSE(taken);
  *second = 1;  // it is still there
  second = nullptr;
  taker.join();
}

}  // namespace
}  // namespace kdb::raftnode

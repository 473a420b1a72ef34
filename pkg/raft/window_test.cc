#include "pkg/raft/window.h"

#include <gtest/gtest.h>

#include <deque>

#include "pkg/base/random.h"

namespace kdb::raft {
namespace {

TEST(WindowTest, MatchesAPlainQueue) {
  Random random(1);
  Window window;
  std::deque<std::pair<Index, size_t>> reference;
  size_t bytes = 0;
  Index last = 0;
  for (int i = 0; i < 100000; ++i) {
    if (random.OneIn(1000)) {
      window.Clear();
      reference.clear();
      bytes = 0;
    } else if (random.Uniform(100) < 55) {
      last += 1 + random.Uniform(3);
      size_t n = random.Uniform(50);
      window.Add(last, n);
      reference.emplace_back(last, n);
      bytes += n;
    } else {
      Index upto = last - std::min(last, random.Uniform(40));
      window.FreeTo(upto);
      for (; !reference.empty() && reference.front().first <= upto; reference.pop_front()) {
        bytes -= reference.front().second;
      }
    }
    ASSERT_EQ(window.count(), reference.size());
    ASSERT_EQ(window.bytes(), bytes);
  }
}

}  // namespace
}  // namespace kdb::raft

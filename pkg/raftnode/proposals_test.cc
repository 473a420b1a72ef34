#include "pkg/raftnode/proposals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kdb::raftnode {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ProposalsTest : public ::testing::Test {
 protected:
  void Add(raft::Index index, raft::Term term) {
    proposals_.Add(index, term,
                   {{},
                    nullptr,
                    [this, index](absl::StatusOr<Payload> r) {
                      EXPECT_TRUE(absl::IsAborted(r.status())) << r.status();
                      aborted_.push_back(index);
                    },
                    Clock::Duration(0),
                    *admission_.TryEnter()});
  }

  Admission admission_{10};
  Proposals proposals_;
  std::vector<raft::Index> aborted_;
};

TEST_F(ProposalsTest, CommittedEntryFindsItsWaiter) {
  Add(3, 1);
  Add(4, 1);
  EXPECT_FALSE(proposals_.Take(2, 1).has_value());
  EXPECT_EQ(proposals_.Take(3, 1)->index, 3);
  EXPECT_EQ(proposals_.Take(4, 1)->index, 4);
  EXPECT_THAT(aborted_, IsEmpty());
}

TEST_F(ProposalsTest, AnotherTermsEntryAborts) {
  Add(3, 1);
  EXPECT_FALSE(proposals_.Take(3, 2).has_value());
  EXPECT_THAT(aborted_, ElementsAre(3));
}

TEST_F(ProposalsTest, LostLeadershipAbortsAllButTheNewTerms) {
  Add(3, 1);
  Add(4, 1);
  Add(9, 3);
  EXPECT_EQ(proposals_.AbortExcept(3, "lost"), 2);
  EXPECT_THAT(aborted_, ElementsAre(3, 4));
  EXPECT_EQ(proposals_.AbortExcept(Proposals::kNoTerm, "lost"), 1);
  EXPECT_EQ(proposals_.size(), 0);
  EXPECT_EQ(admission_.used(), 0);
}

TEST(AdmissionTest, PlacesComeBack) {
  Admission admission(2);
  auto a = admission.TryEnter();
  {
    auto b = admission.TryEnter();
    EXPECT_TRUE(b.has_value());
    EXPECT_FALSE(admission.TryEnter().has_value());
  }
  Admission::Place moved = *std::move(a);
  EXPECT_EQ(admission.used(), 1);
  EXPECT_TRUE(admission.TryEnter().has_value());
}

}  // namespace
}  // namespace kdb::raftnode

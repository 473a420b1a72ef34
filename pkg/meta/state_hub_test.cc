#include "pkg/meta/state_hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kdb::meta {
namespace {

using ::testing::ElementsAre;

StatePtr Version(uint64_t version) {
  auto state = std::make_shared<metalog::State>();
  state->mutable_catalog()->set_version(version);
  return state;
}

// Notes the version that is the latest whenever it is told of a change, and does what a thread
// that comes between would.
class Witness final : public StateHub::Subscriber {
 public:
  explicit Witness(StateHub& hub) : hub_(hub) {}
  void OnChange() override {
    seen_.push_back(hub_.Latest()->catalog().version());
    if (auto then = std::exchange(then_, nullptr)) then();
  }
  void ThenOnce(std::function<void()> then) { then_ = std::move(then); }
  const std::vector<uint64_t>& seen() const { return seen_; }

 private:
  StateHub& hub_;
  std::function<void()> then_;
  std::vector<uint64_t> seen_;
};

TEST(StateHubTest, TellsOfTheStateThatIsThereAndOfLaterOnes) {
  StateHub hub;
  auto first = std::make_shared<Witness>(hub);
  hub.Subscribe(first);
  EXPECT_THAT(first->seen(), ElementsAre());
  hub.Publish(Version(1));
  auto second = std::make_shared<Witness>(hub);
  hub.Subscribe(second);
  hub.Publish(Version(2));
  EXPECT_THAT(first->seen(), ElementsAre(1, 2));
  EXPECT_THAT(second->seen(), ElementsAre(1, 2));
}

// Two threads' calls: what is told of an older state after a newer one must not bring it back.
TEST(StateHubTest, AnOlderStateNeverFollowsANewerOne) {
  StateHub hub;
  auto first = std::make_shared<Witness>(hub);
  auto second = std::make_shared<Witness>(hub);
  hub.Subscribe(first);
  hub.Subscribe(second);
  first->ThenOnce([&] { hub.Publish(Version(2)); });
  hub.Publish(Version(1));
  EXPECT_THAT(first->seen(), ElementsAre(1, 2));
  EXPECT_THAT(second->seen(), ElementsAre(2, 2));
}

}  // namespace
}  // namespace kdb::meta

// Exactly once, and in order, under random faults: clients append tokens and read them back through
// broken links, elections, busy shards, forgotten sessions and slots that move. KDB_SEED=n runs one
// seed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "pkg/routing/model_shard_test.h"
#include "pkg/routing/router_fixture_test.h"

namespace kdb::routing {
namespace {

using std::chrono::milliseconds;

constexpr int kClients = 6;
constexpr int kCommands = 120;  // per client
constexpr int kSeeds = 300;

// One client's command: a token appended to a list, or a look at the list.
struct Step {
  bool read = false;
  int list = 0;
  std::string token;
  std::string reply;  // empty: none yet
};

struct Client {
  ClientOrder order;
  std::vector<Step> steps;
  size_t answered = 0;
};

class RandomRun {
 public:
  RandomRun(uint64_t seed, bool moves)
      : loop_(seed),
        executor_(loop_.NewExecutor("proxy")),
        links_(loop_, *executor_, faults_),
        moves_(moves) {
    Random random(seed);
    faults_.break_link_one_in = 20 + random.Uniform(200);
    faults_.busy_one_in = 5 + random.Uniform(50);
    faults_.disk_full = true;
    faults_.full_read_batches = true;
    faults_.large_reply_one_in = 2 + random.Uniform(10);
    RouterOptions options;
    options.max_batch_ops = 1 + random.Uniform(20);
    options.deadline = milliseconds(400);
    router_ = Router::Create(options, links_, *executor_, clock_, Random(seed), metrics_);
    groups_.push_back(&links_.Add(1, {"1a", "1b", "1c"}));
    groups_.push_back(&links_.Add(2, {"2a", "2b", "2c"}));
    for (shard::Slot slot = 0; slot < shard::kSlots; ++slot) owner_[slot] = slot < 512 ? 0 : 1;
    for (shard::Slot slot = 0; slot < shard::kSlots; ++slot)
      groups_[1 - owner_[slot]]->Own(slot, false);
    for (int i = 0; i < 4; ++i) lists_.push_back(KeyIn(0, 1023, i * 7));
    router_->SetCatalog(TableOf(1, {{1, 0, 511}, {2, 512, 1023}}));
    clients_.resize(kClients);
  }

  void Run() {
    for (int i = 0; i < kClients; ++i) Pipeline(i);
    Fault();
    ASSERT_TRUE(loop_.RunUntil([this] { return Done(); }, std::chrono::seconds(600)));
    // What was told unknown may still happen, until its not_after.
    loop_.RunFor(std::chrono::seconds(30));
    EXPECT_TRUE(router_->idle());
    for (int i = 0; i < kClients; ++i) Check(i);
  }

 private:
  bool Done() const {
    for (const Client& client : clients_) {
      if (client.steps.size() < kCommands || client.answered < client.steps.size()) return false;
    }
    return true;
  }

  // Sends a few commands without waiting, then some more a little later.
  void Pipeline(int i) {
    Client& client = clients_[static_cast<size_t>(i)];
    uint64_t burst = 1 + loop_.random().Uniform(8);
    for (uint64_t n = 0; n < burst && client.steps.size() < kCommands; ++n) SendOne(i);
    if (client.steps.size() >= kCommands) return;
    executor_->PostAfter(milliseconds(loop_.random().Uniform(30)), [this, i] { Pipeline(i); });
  }

  void SendOne(int i) {
    Client& client = clients_[static_cast<size_t>(i)];
    size_t index = client.steps.size();
    Step step;
    step.read = loop_.random().OneIn(2);
    step.list = static_cast<int>(loop_.random().Uniform(lists_.size()));
    step.token = std::to_string(i) + "." + std::to_string(index) + ";";
    client.steps.push_back(step);
    const std::string& list = lists_[static_cast<size_t>(step.list)];
    std::vector<std::string_view> args{step.read ? "get" : "append", list};
    if (!step.read) args.push_back(step.token);
    router_->Submit(*redis::FindCommand(args[0]), args, resp::Version::kResp2, client.order,
                    [this, i, index](std::string reply) {
                      Client& c = clients_[static_cast<size_t>(i)];
                      EXPECT_TRUE(c.steps[index].reply.empty()) << "answered twice";
                      c.steps[index].reply = std::move(reply);
                      ++c.answered;
                    });
  }

  void Fault() {
    Random& random = loop_.random();
    ModelGroup& group = *groups_[random.Uniform(groups_.size())];
    switch (random.Uniform(8)) {
      case 0:
        group.Depose();
        loop_.After(milliseconds(random.Uniform(600)), [&group] { group.Elect(); });
        break;
      case 1:
        group.Elect();
        break;
      case 2:
        if (!random.OneIn(3)) break;
        group.Depose();
        group.ForgetSessions();
        group.Elect();
        break;
      case 3:
        if (moves_) MoveOne();
        break;
      default:
        break;
    }
    if (!Done()) loop_.After(milliseconds(random.Uniform(60)), [this] { Fault(); });
  }

  // Frozen for a while, then at the other group.
  void MoveOne() {
    shard::Slot slot = shard::SlotOf(lists_[loop_.random().Uniform(lists_.size())]);
    if (!moving_.insert(slot).second) return;
    groups_[owner_[slot]]->Own(slot, false);
    loop_.After(milliseconds(loop_.random().Uniform(100)), [this, slot] {
      size_t from = owner_[slot];
      moving_.erase(slot);
      if (loop_.random().OneIn(3)) return groups_[from]->Own(slot, true);  // unfrozen
      owner_[slot] = 1 - from;
      groups_[from]->MoveSlot(slot, *groups_[1 - from], ++epoch_);
    });
  }

  // The tokens of client `i` in a list, as indexes into its steps, in order.
  std::vector<size_t> Tokens(std::string_view list, int i) const {
    std::vector<size_t> indexes;
    std::string mine = std::to_string(i) + ".";
    for (absl::string_view token :
         absl::StrSplit(absl::string_view(list.data(), list.size()), ';', absl::SkipEmpty())) {
      std::string text(token);
      if (text.starts_with(mine)) indexes.push_back(std::stoul(text.substr(mine.size())));
    }
    return indexes;
  }

  static bool Acknowledged(const Step& step) { return step.reply.starts_with(':'); }
  static bool Refused(const Step& step) { return step.reply.starts_with("-TIMEOUT"); }

  void Check(int i) {
    const Client& client = clients_[static_cast<size_t>(i)];
    for (size_t list = 0; list < lists_.size(); ++list) {
      std::string value;
      for (ModelGroup* group : groups_) {
        auto it = group->data().find(lists_[list]);
        if (it != group->data().end()) value = it->second;
      }
      CheckList(i, static_cast<int>(list), Tokens(value, i), client.steps.size(), "at the end");
    }
    for (size_t index = 0; index < client.steps.size(); ++index) {
      const Step& step = client.steps[index];
      if (!step.read || step.reply.starts_with('-')) {
        if (!step.read || step.reply.starts_with("-TIMEOUT") || step.reply == "$-1\r\n") continue;
        ADD_FAILURE() << "a read was answered " << step.reply;
      }
      std::string_view text(step.reply);
      text.remove_prefix(text.find("\r\n") + 2);
      CheckList(i, step.list, Tokens(text, i), index, "in a read");
    }
  }

  // A list as it must be when client `i` sent its first `sent` steps: in order, each token once,
  // all acknowledged ones, none of the refused.
  void CheckList(int i, int list, const std::vector<size_t>& tokens, size_t sent,
                 const char* when) {
    const std::vector<Step>& steps = clients_[static_cast<size_t>(i)].steps;
    EXPECT_TRUE(std::is_sorted(tokens.begin(), tokens.end(), std::less_equal<>()))
        << when << ": out of order or doubled: " << ::testing::PrintToString(tokens)
        << " of client " << i << ", list " << list;
    std::set<size_t> there(tokens.begin(), tokens.end());
    for (size_t index : there) {
      EXPECT_LT(index, sent) << when << ": from the future";
      EXPECT_FALSE(Refused(steps[index])) << when << ": executed after -TIMEOUT, step " << index;
    }
    for (size_t index = 0; index < sent; ++index) {
      if (steps[index].read || steps[index].list != list || !Acknowledged(steps[index])) continue;
      EXPECT_EQ(there.count(index), 1u) << when << ": lost step " << index;
    }
  }

  testing::SimLoop loop_;
  testing::FakeClock clock_{loop_, 1'700'000'000'000};
  obs::Registry metrics_;
  ModelFaults faults_;
  std::unique_ptr<testing::SimExecutor> executor_;
  ModelLinks links_;
  const bool moves_;
  std::vector<ModelGroup*> groups_;
  std::array<size_t, shard::kSlots> owner_{};
  std::set<shard::Slot> moving_;
  uint64_t epoch_ = 1;
  std::vector<std::string> lists_;
  std::vector<Client> clients_;
  std::unique_ptr<Router> router_;
};

void RunSeeds(bool moves) {
  const char* one = std::getenv("KDB_SEED");
  const char* many = std::getenv("KDB_SEEDS");
  uint64_t first = one == nullptr ? 1 : std::stoull(one);
  uint64_t last = one != nullptr ? first : many == nullptr ? kSeeds : std::stoull(many);
  for (uint64_t seed = first; seed <= last && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("KDB_SEED=" + std::to_string(seed));
    RandomRun(seed, moves).Run();
  }
}

TEST(RouterRandom, ExactlyOnceInOrderUnderFaults) { RunSeeds(false); }
TEST(RouterRandom, ExactlyOnceInOrderWhileSlotsMove) { RunSeeds(true); }

}  // namespace
}  // namespace kdb::routing

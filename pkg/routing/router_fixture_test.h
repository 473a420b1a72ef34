// For tests: a router on a deterministic loop, with commands as text and replies by client.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_split.h"
#include "pkg/routing/router.h"
#include "pkg/routing/scripted_links.h"
#include "pkg/testing/fake_clock.h"
#include "pkg/testing/sim_loop.h"

namespace kdb::routing {

// Slots [first, last] of one group with members "<gid>a" to "<gid>c".
struct GroupSlots {
  uint64_t gid;
  uint32_t first;
  uint32_t last;
  uint64_t epoch = 1;
};

inline std::shared_ptr<const shard::SlotTable> TableOf(uint64_t version,
                                                       const std::vector<GroupSlots>& groups) {
  catalog::Catalog catalog;
  catalog.set_version(version);
  for (const GroupSlots& slots : groups) {
    catalog::Group* group = nullptr;
    for (catalog::Group& known : *catalog.mutable_groups()) {
      if (known.gid() == slots.gid) group = &known;
    }
    if (group == nullptr) {
      group = catalog.add_groups();
      group->set_gid(slots.gid);
      for (char name : {'a', 'b', 'c'}) {
        catalog::Member& member = *group->add_members();
        member.set_id(static_cast<uint64_t>(name - 'a') + 1);
        member.set_address(std::to_string(slots.gid) + name);
      }
    }
    if (slots.first > slots.last) continue;  // owns none
    catalog::SlotRange& range = *catalog.add_slots();
    range.set_first(slots.first);
    range.set_last(slots.last);
    range.set_gid(slots.gid);
    range.set_epoch(slots.epoch);
  }
  return *shard::SlotTable::Build(std::move(catalog));
}

// A key, "k<n>", of the slots [first, last].
inline std::string KeyIn(uint32_t first, uint32_t last, int nth = 0) {
  for (int i = 0;; ++i) {
    std::string key = "k" + std::to_string(i);
    uint32_t slot = shard::SlotOf(key);
    if (slot >= first && slot <= last && nth-- == 0) return key;
  }
}

class RouterFixture : public ::testing::Test {
 protected:
  using Replies = std::vector<std::string>;

  void Make(const RouterOptions& options, ShardLinkFactory& factory) {
    executor_ = loop_.NewExecutor("proxy");
    router_ = Router::Create(options, factory, *executor_, clock_, Random(seed_), metrics_);
  }
  void SetUp() override { Make({}, links_); }

  // Replies are gathered in the order in which they come, as "<command>: <reply>" in replies_, the
  // reply without CRLFs.
  void Send(std::string_view text, ClientOrder& client,
            resp::Version version = resp::Version::kResp2) {
    std::vector<std::string> words =
        absl::StrSplit(absl::string_view(text.data(), text.size()), ' ');
    std::vector<std::string_view> args(words.begin(), words.end());
    const redis::Command* command = nullptr;
    ASSERT_TRUE(redis::Resolve(args, &command).ok()) << text;
    router_->Submit(*command, args, version, client,
                    [this, label = std::string(text)](const std::string& reply) {
                      replies_.push_back(label + ": " + Flat(reply));
                    });
  }
  void Send(std::string_view text) { Send(text, client_); }
  static std::string Flat(std::string_view reply) {
    std::string out;
    for (char c : reply) {
      if (c == '\r') continue;
      out.push_back(c == '\n' ? ' ' : c);
    }
    if (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
  }
  Replies TakeReplies() { return std::exchange(replies_, {}); }
  void RunFor(std::chrono::milliseconds span) { loop_.RunFor(span); }
  // Lets everything posted run; less than any backoff.
  void Settle() { RunFor(std::chrono::milliseconds(1)); }
  // One group with all slots, whose member 1a leads and has opened session 7.
  ScriptedLink& Ready() {
    router_->SetCatalog(TableOf(1, {{1, 0, 1023}}));
    Send("set warm up", warm_);
    Settle();
    links_.Of(1)->Opened(7);
    Settle();
    links_.Of(1)->Executed(0);
    Settle();
    TakeReplies();
    links_.Of(1)->writes.clear();
    return *links_.Of(1);
  }

  uint64_t seed_ = 1;
  testing::SimLoop loop_{1};
  testing::FakeClock clock_{loop_, 1'700'000'000'000};
  obs::Registry metrics_;
  ScriptedLinks links_;
  std::unique_ptr<testing::SimExecutor> executor_;
  std::unique_ptr<Router> router_;
  ClientOrder client_;
  ClientOrder warm_;
  Replies replies_;
};

}  // namespace kdb::routing

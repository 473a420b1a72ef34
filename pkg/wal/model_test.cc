// Random operations, faults and power failures against a plain model: everything synced survives,
// and nothing is invented.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>

#include "pkg/wal/wal_test_util.h"

namespace kdb::wal {
namespace {

// What a log may hold.
struct State {
  raft::Index base = 0;
  raft::Term base_term = 0;
  std::vector<raft::Entry> entries;  // from base + 1
  raft::HardState hard_state;

  raft::Index last() const { return base + entries.size(); }
  raft::Term TermAt(raft::Index i) const {
    return i == base ? base_term : entries[i - base - 1].term;
  }
};

class ModelTest {
 public:
  explicit ModelTest(uint64_t seed) : random_(seed) { Reopen(); }

  void Run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      if (random_.OneIn(12)) log_.fs().faults().StopAfter(random_.Uniform(8));
      absl::Status status = Step();
      ASSERT_TRUE(status.ok() || log_.fs().faults().stopped()) << status;
      if (!status.ok() || random_.OneIn(25)) CrashAndCheck();
    }
  }

 private:
  absl::Status Step() {
    switch (random_.Uniform(12)) {
      case 0:
        return CutPrefix();
      case 1:
        return random_.OneIn(6) ? Reset() : absl::OkStatus();
      case 2:
        return Settle(log_.wal().Mark());
      case 3:
        return CheckReads();
      case 4:
        return log_.wal().Prepare();
      case 5:
      case 6:
      case 7:
        return Settle(log_.wal().Sync());
      default:
        return Append();
    }
  }

  State& newest() { return possible_.back(); }

  // After a sync only the newest state is possible.
  absl::Status Settle(absl::Status status) {
    if (status.ok()) possible_.erase(possible_.begin(), possible_.end() - 1);
    return status;
  }

  absl::Status Append() {
    std::optional<raft::HardState> hard_state;
    raft::Term term = std::max(newest().hard_state.term, newest().TermAt(newest().last()));
    if (random_.OneIn(3)) {
      hard_state = newest().hard_state;
      hard_state->commit = std::max(hard_state->commit, cut_);
      if (random_.OneIn(2)) {
        hard_state->term = ++term;
        hard_state->vote = random_.Uniform(4);
      } else if (newest().last() > hard_state->commit) {
        hard_state->commit += random_.Uniform(newest().last() - hard_state->commit + 1);
      }
      AddPossible([&](State& state) { state.hard_state = *hard_state; });
    }
    // Committed and compacted entries are never superseded.
    raft::Index floor = std::max(newest().hard_state.commit, log_.wal().first_index() - 1);
    raft::Index at = newest().last() + 1;
    if (random_.OneIn(5) && at > floor + 1) at -= random_.Uniform(at - floor - 1) + 1;
    std::vector<raft::Entry> entries;
    for (uint64_t n = random_.Uniform(6); n > 0; --n, ++at) {
      size_t bytes = random_.OneIn(40) ? random_.Uniform(40000) : random_.Uniform(900);
      entries.push_back(MakeEntry(at, term, std::string(bytes, RandomByte())));
      AddPossible([&](State& state) {
        state.entries.resize(at - state.base - 1);
        state.entries.push_back(entries.back());
      });
    }
    return log_.wal().Append(entries, hard_state);
  }

  absl::Status CutPrefix() {
    raft::Index committed = std::min(possible_.front().hard_state.commit, possible_.front().last());
    if (committed < log_.wal().first_index()) return absl::OkStatus();
    raft::Index index = committed - random_.Uniform(committed - log_.wal().first_index() + 1);
    cut_ = std::max(cut_, index);
    return log_.wal().CutPrefix(index);
  }

  absl::Status Reset() {
    State state;
    state.base = newest().last() + random_.Uniform(5);
    state.base_term = newest().TermAt(newest().last()) + 1;
    state.hard_state = {.term = std::max(state.base_term, newest().hard_state.term),
                        .vote = 0,
                        .commit = state.base};
    possible_.push_back(state);
    return Settle(log_.wal().Reset(state.base, state.base_term, state.hard_state));
  }

  absl::Status CheckReads() {
    raft::Index first = log_.wal().first_index();
    raft::Index last = log_.wal().last_index();
    EXPECT_EQ(last, newest().last());
    if (first > last) return absl::OkStatus();
    raft::Index lo = first + random_.Uniform(last - first + 1);
    absl::StatusOr<std::vector<raft::Entry>> read =
        log_.wal().Read(lo, last + 1, random_.Uniform(5000));
    if (!read.ok()) return read.status();
    EXPECT_TRUE(
        std::equal(read->begin(), read->end(),
                   newest().entries.begin() + static_cast<ptrdiff_t>(lo - newest().base - 1)));
    return absl::OkStatus();
  }

  template <typename Change>
  void AddPossible(Change change) {
    possible_.push_back(possible_.back());
    change(possible_.back());
  }
  char RandomByte() { return static_cast<char>(random_.Next()); }

  void CrashAndCheck() {
    log_.Close();
    // Process death alone, or power failure.
    if (random_.OneIn(4)) {
      log_.fs().faults().Clear();
    } else {
      random_.OneIn(2) ? log_.fs().Crash() : log_.fs().Crash(random_);
    }
    Reopen();
  }

  void Reopen() {
    // Recovery itself may be interrupted.
    while (random_.OneIn(4)) {
      log_.fs().faults().StopAfter(random_.Uniform(8));
      bool opened = log_.TryOpen().ok();
      log_.Close();
      log_.fs().Crash(random_);
      if (opened) break;
    }
    absl::Status status = log_.TryOpen();
    ASSERT_TRUE(status.ok()) << status;
    auto found = std::find_if(possible_.begin(), possible_.end(),
                              [this](const State& state) { return Matches(state); });
    ASSERT_NE(found, possible_.end()) << "last " << log_.recovered().last_index;
    State now = *found;
    now.hard_state = log_.recovered().hard_state;
    possible_ = {now};
  }

  // Whether the recovered log is `state`, but for entries that were cut off. Its hard state may be
  // a later one.
  bool Matches(const State& state) {
    const Recovered& r = log_.recovered();
    if (r.last_index != state.last() || r.first_index <= state.base) return false;
    if (r.first_index > std::max(cut_, state.base) + 1) return false;
    if (r.compacted_term != state.TermAt(r.first_index - 1)) return false;
    std::vector<raft::Entry> all = log_.All();
    if (!std::equal(all.begin(), all.end(),
                    state.entries.end() - static_cast<ptrdiff_t>(all.size()))) {
      return false;
    }
    return std::any_of(possible_.begin(), possible_.end(), [&](const State& later) {
      return &later >= &state && later.hard_state.term == r.hard_state.term &&
             later.hard_state.vote == r.hard_state.vote &&
             std::min(later.hard_state.commit, state.last()) >= r.hard_state.commit;
    });
  }

  Random random_;
  TestLog log_;
  raft::Index cut_ = 0;
  // What a crash may leave: as of the last sync, and after each record since.
  std::vector<State> possible_ = {State()};
};

TEST(WalModelTest, EverythingSyncedSurvivesAndNothingIsInvented) {
  const char* only = std::getenv("KDB_SEED");
  uint64_t first = only == nullptr ? 1 : std::strtoull(only, nullptr, 10);
  uint64_t last = only == nullptr ? 200 : first;
  for (uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE(::testing::Message() << "KDB_SEED=" << seed);
    ModelTest(seed).Run(400);
    ASSERT_FALSE(::testing::Test::HasFailure());
  }
}

}  // namespace
}  // namespace kdb::wal

// What every storage engine promises, as tests. An engine's own test includes this header and
// instantiates EngineContract.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pkg/base/random.h"
#include "pkg/storage/engine.h"
#include "pkg/storage/overlay.h"
#include "pkg/storage/system_record.h"

namespace kdb::storage {

// An engine with the means to crash it.
class EngineUnderTest {
 public:
  virtual ~EngineUnderTest() = default;
  virtual Engine& engine() = 0;
  // Loses some suffix of what was not flushed and opens the engine again.
  virtual void Crash(Random& random) = 0;
};

using Model = std::map<std::string, std::string>;

inline Model Contents(Iterator& it) {
  Model contents;
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    contents.emplace(std::string(it.key()), std::string(it.value()));
  }
  EXPECT_TRUE(it.status().ok()) << it.status();
  return contents;
}
inline Model Contents(const Reader& reader) { return Contents(*reader.NewIterator("", "")); }

class EngineContract
    : public testing::TestWithParam<std::function<std::unique_ptr<EngineUnderTest>()>> {
 protected:
  Engine& engine() { return under_test_->engine(); }
  void Put(std::string_view key, std::string_view value) {
    auto batch = engine().NewBatch();
    batch->Put(key, value);
    ASSERT_TRUE(engine().Write(*batch).ok());
  }
  std::string Get(const Reader& reader, std::string_view key) {
    std::string value;
    auto found = reader.Get(key, &value);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() && *found ? value : "(none)";
  }

  std::unique_ptr<EngineUnderTest> under_test_ = GetParam()();
};

TEST_P(EngineContract, GetsWhatWasPutLast) {
  EXPECT_EQ(Get(engine(), "a"), "(none)");
  Put("a", "1");
  Put("a", "2");
  Put(std::string("\0\xff", 2), "");
  EXPECT_EQ(Get(engine(), "a"), "2");
  EXPECT_EQ(Get(engine(), std::string("\0\xff", 2)), "");
  EXPECT_EQ(Get(engine(), "b"), "(none)");
}

TEST_P(EngineContract, AppliesABatchInOrder) {
  auto batch = engine().NewBatch();
  batch->Put("a", "1");
  batch->Put("b", "1");
  batch->Put("c", "1");
  batch->DeleteRange("a", "c");
  batch->Put("b", "2");
  batch->Delete("c");
  EXPECT_EQ(batch->count(), 6u);
  EXPECT_GT(batch->bytes(), 0u);
  ASSERT_TRUE(engine().Write(*batch).ok());
  EXPECT_EQ(Contents(engine()), (Model{{"b", "2"}}));
  batch->Clear();
  EXPECT_EQ(batch->count(), 0u);
  ASSERT_TRUE(engine().Write(*batch).ok());
  EXPECT_EQ(Contents(engine()), (Model{{"b", "2"}}));
}

TEST_P(EngineContract, SnapshotsAndIteratorsStayAtTheirMoment) {
  Put("a", "1");
  auto snapshot = engine().NewSnapshot();
  auto iterator = engine().NewIterator("", "");
  Put("a", "2");
  Put("b", "2");
  EXPECT_EQ(Get(*snapshot, "a"), "1");
  EXPECT_EQ(Contents(*snapshot), (Model{{"a", "1"}}));
  EXPECT_EQ(Contents(*iterator), (Model{{"a", "1"}}));
  EXPECT_EQ(Contents(engine()), (Model{{"a", "2"}, {"b", "2"}}));
}

TEST_P(EngineContract, IteratesWithinItsBoundsInBothDirections) {
  for (std::string_view key : {"a", "b", "d", "e"}) Put(key, key);
  auto it = engine().NewIterator("b", "e");
  it->SeekToFirst();
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "b");
  it->Prev();
  EXPECT_FALSE(it->Valid());
  it->SeekToLast();
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "d");
  it->Next();
  EXPECT_FALSE(it->Valid());
  it->Seek("c");
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "d");
  it->Seek("a");
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "b");
  it->Seek("e");
  EXPECT_FALSE(it->Valid());
  it->SeekForPrev("c");
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "b");
  it->Next();
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "d");
  it->SeekForPrev("z");
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "d");
  it->SeekForPrev("a");
  EXPECT_FALSE(it->Valid());
  EXPECT_TRUE(it->status().ok());
}

TEST_P(EngineContract, WhatIsFlushedIsPersisted) {
  Put("a", "1");
  ASSERT_TRUE(engine().Flush().ok());
  Put("a", "2");
  std::string value;
  auto found = engine().GetPersisted("a", &value);
  ASSERT_TRUE(found.ok() && *found);
  EXPECT_EQ(value, "1");
  ASSERT_TRUE(engine().Flush().ok());
  ASSERT_TRUE(engine().GetPersisted("a", &value).value());
  EXPECT_EQ(value, "2");
  EXPECT_FALSE(engine().GetPersisted("b", &value).value());
}

TEST_P(EngineContract, CountsRangeDeletesUntilTheyAreFlushed) {
  EXPECT_EQ(engine().UnflushedRangeDeletes(), 0u);
  auto batch = engine().NewBatch();
  batch->DeleteRange("a", "b");
  batch->DeleteRange("c", "d");
  ASSERT_TRUE(engine().Write(*batch).ok());
  EXPECT_EQ(engine().UnflushedRangeDeletes(), 2u);
  ASSERT_TRUE(engine().Flush().ok());
  EXPECT_EQ(engine().UnflushedRangeDeletes(), 0u);
}

TEST_P(EngineContract, KeepsTheSystemRecord) {
  EXPECT_EQ(ReadSystemRecord(engine()).value(), SystemRecord{});
  SystemRecord record{7, 3, "members", 123456, 99, 1};
  Put(SystemRecordKey(), EncodeSystemRecord(record));
  EXPECT_EQ(ReadSystemRecord(engine()).value(), record);
  EXPECT_EQ(ReadPersistedSystemRecord(engine()).value(), SystemRecord{});
  ASSERT_TRUE(engine().Flush().ok());
  EXPECT_EQ(ReadPersistedSystemRecord(engine()).value(), record);
}

// Every write says its number; after a crash the state must be that of exactly one number, at least
// the flushed one.
TEST_P(EngineContract, ACrashKeepsAPrefixOfTheWritesAndAllThatWasFlushed) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    under_test_ = GetParam()();
    Random random(seed);
    std::vector<Model> history(1);
    size_t flushed = 0;
    for (int round = 0; round < 60; ++round) {
      Model next = history.back();
      auto batch = engine().NewBatch();
      for (uint64_t n = random.Uniform(5); n-- > 0;) {
        std::string key = std::to_string(random.Uniform(20)), end = key + "5";
        if (random.OneIn(4)) {
          batch->DeleteRange(key, end);
          next.erase(next.lower_bound(key), next.lower_bound(end));
        } else {
          batch->Put(key, std::to_string(round));
          next[key] = std::to_string(round);
        }
      }
      batch->Put("number", std::to_string(history.size()));
      next["number"] = std::to_string(history.size());
      ASSERT_TRUE(engine().Write(*batch).ok());
      history.push_back(std::move(next));
      if (random.OneIn(8)) {
        ASSERT_TRUE(engine().Flush().ok());
        flushed = history.size() - 1;
      }
      if (random.OneIn(8)) {
        under_test_->Crash(random);
        std::string number = Get(engine(), "number");
        size_t at = number == "(none)" ? 0 : std::stoul(number);
        ASSERT_GE(at, flushed);
        ASSERT_EQ(Contents(engine()), history[at]);
        history.resize(at + 1);
      }
    }
  }
}

// Overlay and engine together behave as a plain map, through writes, deletes of ranges, clears and
// moves of iterators.
class OverlayModel {
 public:
  OverlayModel(Engine& engine, uint64_t seed)
      : engine_(engine), batch_(engine.NewBatch()), overlay_(engine, 2000), random_(seed) {}

  void Step() {
    switch (random_.Uniform(10)) {
      case 0:
        return DeleteRange();
      case 1:
      case 2:
        return Delete();
      case 3:
        return random_.OneIn(4) ? Commit() : CheckIterator();
      case 4:
        return CheckIterator();
      case 5:
        return CheckGet();
      default:
        return Put();
    }
  }

 private:
  std::string Key() {
    std::string key;
    for (uint64_t n = random_.Uniform(4); n-- > 0;)
      key += static_cast<char>('a' + random_.Uniform(3));
    return "k" + key;
  }
  void Put() {
    std::string key = Key(), value = std::to_string(random_.Uniform(1000));
    bool is_new = !model_.contains(key) && !committed_.contains(key) && random_.OneIn(2);
    is_new ? overlay_.Insert(key, value) : overlay_.Put(key, value);
    model_[key] = value;
  }
  void Delete() {
    std::string key = Key();
    overlay_.Delete(key);
    model_.erase(key);
  }
  void DeleteRange() {
    std::string begin = Key(), end = Key();
    overlay_.DeleteRange(begin, end);
    if (begin < end) model_.erase(model_.lower_bound(begin), model_.lower_bound(end));
  }
  void Commit() {
    if (random_.OneIn(2)) {
      overlay_.AddTo(*batch_);
      ASSERT_TRUE(engine_.Write(*batch_).ok());
      batch_->Clear();
      committed_ = model_;
      overlay_.Written();
      ASSERT_EQ(Contents(engine_), committed_);
    } else {
      model_ = committed_;
      overlay_.Clear();
    }
  }
  void CheckGet() {
    std::string key = Key(), value;
    auto found = overlay_.Get(key, &value);
    ASSERT_TRUE(found.ok());
    auto expected = model_.find(key);
    ASSERT_EQ(*found, expected != model_.end()) << key;
    if (*found) {
      ASSERT_EQ(value, expected->second);
    }
  }
  void CheckIterator() {
    std::string lower = random_.OneIn(3) ? "" : Key(), upper = random_.OneIn(3) ? "" : Key();
    Model expected(model_.lower_bound(lower), model_.end());
    if (!upper.empty()) expected.erase(expected.lower_bound(upper), expected.end());
    auto it = overlay_.NewIterator(lower, upper);
    ASSERT_EQ(Contents(*it), expected) << "[" << lower << ", " << upper << ")";
    Walk(*it, expected);
  }
  // Random moves; `at` is where the model stands.
  void Walk(Iterator& it, const Model& expected) {
    auto at = expected.end();
    for (int move = 0; move < 12; ++move) {
      std::string key = Key();
      uint64_t kind = random_.Uniform(at == expected.end() ? 4 : 8);
      if (kind == 0) {
        it.SeekToFirst();
        at = expected.begin();
      } else if (kind == 1) {
        it.SeekToLast();
        at = expected.empty() ? expected.end() : std::prev(expected.end());
      } else if (kind == 2) {
        it.Seek(key);
        at = expected.lower_bound(key);
      } else if (kind == 3) {
        it.SeekForPrev(key);
        at = expected.upper_bound(key);
        at = at == expected.begin() ? expected.end() : std::prev(at);
      } else if (kind < 6) {
        it.Next();
        ++at;
      } else {
        it.Prev();
        at = at == expected.begin() ? expected.end() : std::prev(at);
      }
      ASSERT_EQ(it.Valid(), at != expected.end()) << "move " << move << " kind " << kind;
      if (!it.Valid()) continue;
      ASSERT_EQ(it.key(), at->first);
      ASSERT_EQ(it.value(), at->second);
    }
  }

  Engine& engine_;
  std::unique_ptr<WriteBatch> batch_;
  Overlay overlay_;
  Random random_;
  Model model_;
  Model committed_;
};

TEST_P(EngineContract, AnOverlayBehavesAsAPlainMap) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    under_test_ = GetParam()();
    OverlayModel model(engine(), seed);
    for (int step = 0; step < 500 && !HasFatalFailure(); ++step) model.Step();
  }
}

TEST_P(EngineContract, AnEmptyOverlayShowsItsBase) {
  Put("a", "1");
  Overlay overlay(engine());
  EXPECT_EQ(Contents(overlay), (Model{{"a", "1"}}));
  overlay.Put("b", "2");
  EXPECT_EQ(Contents(overlay), (Model{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(Contents(engine()), (Model{{"a", "1"}}));
}

TEST_P(EngineContract, AnOverlayWritesAKeyOnceAndAPassingOneNever) {
  Put("a", "1");
  Overlay overlay(engine());
  overlay.Put("a", "2");
  overlay.Put("a", "3");
  overlay.Insert("b", "4");
  overlay.Delete("b");
  auto batch = engine().NewBatch();
  overlay.AddTo(*batch);
  EXPECT_EQ(batch->count(), 1u);
  EXPECT_EQ(Contents(overlay), (Model{{"a", "3"}}));
}

}  // namespace kdb::storage

#include "pkg/storage/memory_engine.h"

#include "pkg/storage/engine_contract_test.h"

namespace kdb::storage {
namespace {

class MemoryUnderTest final : public EngineUnderTest {
 public:
  Engine& engine() override { return *engine_; }
  void Crash(Random& random) override { engine_->Crash(random); }

 private:
  std::unique_ptr<MemoryEngine> engine_ = NewMemoryEngine();
};

INSTANTIATE_TEST_SUITE_P(Memory, EngineContract,
                         testing::Values([] { return std::make_unique<MemoryUnderTest>(); }));

TEST(MemoryEngine, CrashPointsStaySpreadOutWhenThereAreManyWrites) {
  auto engine = NewMemoryEngine();
  auto batch = engine->NewBatch();
  constexpr int kWrites = 20000;
  for (int i = 1; i <= kWrites; ++i) {
    batch->Clear();
    batch->Put("n", std::to_string(i));
    ASSERT_TRUE(engine->Write(*batch).ok());
  }
  std::string value;
  ASSERT_TRUE(engine->Get("n", &value).value());
  EXPECT_EQ(value, std::to_string(kWrites));
  Random random(1);
  engine->Crash(random);
  bool there = engine->Get("n", &value).value();
  EXPECT_LT(there ? std::stoi(value) : 0, kWrites);
}

TEST(MemoryEngine, BytesAreThoseOfTheContent) {
  auto engine = NewMemoryEngine();
  auto batch = engine->NewBatch();
  batch->Put("key", "value");
  batch->Put("key", "other");
  batch->Put("a", "b");
  batch->Delete("a");
  ASSERT_TRUE(engine->Write(*batch).ok());
  EXPECT_EQ(engine->ApproximateBytes(), 8u);
}

}  // namespace
}  // namespace kdb::storage

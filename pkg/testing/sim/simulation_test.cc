// 300 seeds of the simulation, in parts that ctest runs side by side. KDB_SEED=n runs that seed
// alone and prints its trace; KDB_FIRST_SEED=n runs 300 others:
//
//   KDB_SEED=17 sim_test
//   KDB_FIRST_SEED=300 sim_test
#include "pkg/testing/sim/simulation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <optional>

namespace kdb::sim {
namespace {

constexpr uint64_t kParts = 20;
constexpr uint64_t kSeedsPerPart = 15;

std::optional<uint64_t> FromEnvironment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

Report RunSeed(uint64_t seed, bool print_trace) {
  // Before the run, too: a broken invariant ends the process.
  fmt::print("seed {}: ", seed);
  if (print_trace) fmt::print("\n");
  std::fflush(stdout);
  Report report = Run(Scenario::FromSeed(seed), print_trace);
  fmt::print("{} calls, {} unknown, {} timed out, {:.1f} s, trace {:016x}\n", report.calls,
             report.unknown, report.timeouts, report.simulated_seconds, report.trace_hash);
  std::fflush(stdout);
  EXPECT_TRUE(report.problems.empty()) << "KDB_SEED=" << seed << " shows:\n"
                                       << fmt::format("{}", fmt::join(report.problems, "\n"));
  return report;
}

class SimulationTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(SimulationTest, HoldsUnderFaults) {
  if (std::optional<uint64_t> wanted = FromEnvironment("KDB_SEED")) {
    // One of the parts does it.
    if (GetParam() == 0) RunSeed(*wanted, true);
    return;
  }
  uint64_t first = FromEnvironment("KDB_FIRST_SEED").value_or(0) + GetParam() * kSeedsPerPart;
  for (uint64_t i = 0; i < kSeedsPerPart; ++i) RunSeed(first + i, false);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SimulationTest, ::testing::Range(uint64_t{0}, kParts));

TEST(SimulationDeterminismTest, SameSeedSameTrace) {
  for (uint64_t seed : {1, 2, 3}) {
    EXPECT_EQ(RunSeed(seed, false).trace_hash, RunSeed(seed, false).trace_hash);
  }
}

TEST(SimulationDeterminismTest, OtherSeedOtherTrace) {
  EXPECT_NE(RunSeed(1, false).trace_hash, RunSeed(2, false).trace_hash);
}

}  // namespace
}  // namespace kdb::sim

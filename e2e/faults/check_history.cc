// check_history FILE...: is what kdb-load recorded linearizable, and do the sums hold? Exit code 0:
// yes. 1: no. 2: it cannot tell (given up, or no history).

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "e2e/faults/accounting.h"
#include "pkg/testing/linearizability.h"

namespace kdb::e2e {
namespace {

int Check(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  absl::StatusOr<std::vector<testing::Operation>> history = testing::ParseHistory(text.str());
  if (!in || !history.ok()) {
    fmt::print("{}: {}\n", path, in ? std::string(history.status().message()) : "cannot read it");
    return 2;
  }
  testing::CheckReport report = testing::CheckLinearizable(*history);
  Accounts accounts = TakeAccounts(*history);
  report.problems.insert(report.problems.end(), accounts.problems.begin(), accounts.problems.end());
  for (const std::string& problem : report.problems) fmt::print("{}\n", problem);
  fmt::print(
      "{}: {} operations on {} keys ({} writes acknowledged, {} unknown), {} configurations\n",
      path, history->size(), report.keys, accounts.acknowledged, accounts.unknown,
      report.configurations);
  if (report.verdict == testing::Verdict::kNotLinearizable || !accounts.problems.empty()) return 1;
  return report.verdict == testing::Verdict::kGaveUp ? 2 : 0;
}

}  // namespace
}  // namespace kdb::e2e

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: check_history FILE...\n");
    return 2;
  }
  bool wrong = false;
  bool unclear = false;
  for (int i = 1; i < argc; ++i) {
    int verdict = kdb::e2e::Check(argv[i]);
    wrong |= verdict == 1;
    unclear |= verdict == 2;
  }
  return wrong ? 1 : unclear ? 2 : 0;
}

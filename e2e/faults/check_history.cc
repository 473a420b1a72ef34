// check_history [--min-writes N] FILE...: is what kdb-load recorded linearizable, and do the sums
// hold? Exit code 0: yes. 1: no. 2: it cannot tell (given up, no history, one of fewer acknowledged
// writes than N or without reads, keys that were not read at the end). 3: no, for acknowledged
// writes are lost.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <sstream>

#include "e2e/faults/accounting.h"
#include "pkg/testing/linearizability.h"

namespace kdb::e2e {
namespace {

enum ExitCode { kRight = 0, kWrong = 1, kUnclear = 2, kLost = 3 };

ExitCode Worse(ExitCode a, ExitCode b) {
  for (ExitCode code : {kLost, kWrong, kUnclear}) {
    if (code == a || code == b) return code;
  }
  return kRight;
}

ExitCode Judge(const testing::CheckReport& report, const Accounts& accounts, size_t min_writes) {
  if (accounts.lost > 0) return kLost;
  bool wrong_sums = accounts.problems.size() > accounts.unread;
  if (wrong_sums || report.verdict == testing::Verdict::kNotLinearizable) return kWrong;
  bool enough = accounts.acknowledged >= min_writes && accounts.reads > 0;
  bool clear = enough && accounts.unread == 0 && report.verdict != testing::Verdict::kGaveUp;
  return clear ? kRight : kUnclear;
}

ExitCode Check(const std::string& path, size_t min_writes) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  absl::StatusOr<std::vector<testing::Operation>> history = testing::ParseHistory(text.str());
  if (!in || !history.ok()) {
    fmt::print("{}: {}\n", path, in ? std::string(history.status().message()) : "cannot read it");
    return kUnclear;
  }
  testing::CheckReport report = testing::CheckLinearizable(*history);
  Accounts accounts = TakeAccounts(*history);
  for (const std::string& problem : report.problems) fmt::print("{}\n", problem);
  for (const std::string& problem : accounts.problems) fmt::print("{}\n", problem);
  fmt::print(
      "{}: {} operations on {} keys ({} reads; {} writes acknowledged of at least {}, {} "
      "unknown), {} configurations\n",
      path, history->size(), report.keys, accounts.reads, accounts.acknowledged, min_writes,
      accounts.unknown, report.configurations);
  return Judge(report, accounts, min_writes);
}

}  // namespace
}  // namespace kdb::e2e

int main(int argc, char** argv) {
  size_t min_writes = 1;
  std::vector<std::string> paths;
  CLI::App app("Judges what kdb-load recorded.", "check_history");
  app.add_option("--min-writes", min_writes, "Acknowledged ones that a history must have");
  app.add_option("history", paths, "Files")->required();
  CLI11_PARSE(app, argc, argv);
  kdb::e2e::ExitCode worst = kdb::e2e::kRight;
  for (const std::string& path : paths) {
    worst = kdb::e2e::Worse(worst, kdb::e2e::Check(path, min_writes));
  }
  return worst;
}

// Is a history linearizable: can every operation be given one point in time between its call and
// its return, so that executed in that order each gives the result that its client saw?
//
// Keys are judged one by one (Herlihy and Wing: linearizability is local). For one key: a
// depth-first search over configurations (linearized operations, state), as of Wing and Gong
// ("Testing and Verifying Concurrent Objects", 1993), with the two ideas of Lowe ("Testing for
// Linearizability", 2016): an operation is linearized only when the return of one forces it, and no
// configuration is visited twice.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pkg/testing/history.h"

namespace kdb::testing {

struct CheckOptions {
  // Configurations visited per key; then the verdict is kGaveUp. The problem is NP-complete.
  uint64_t max_configurations = 2'000'000;
};

enum class Verdict { kLinearizable, kNotLinearizable, kGaveUp };

struct CheckReport {
  Verdict verdict = Verdict::kLinearizable;  // the worst of all keys
  size_t keys = 0;
  uint64_t configurations = 0;  // visited
  // One paragraph per key that is not linearizable or was given up: the operation that no order
  // explains.
  std::vector<std::string> problems;
};

// Operations of one client stand in `history` in the order it sent them. If their times overlap
// (pipelining), they must take effect in that order, too: an operation never takes effect before an
// earlier one of its client that returned. Operations whose times touch overlap.
CheckReport CheckLinearizable(const std::vector<Operation>& history,
                              const CheckOptions& options = {});

}  // namespace kdb::testing

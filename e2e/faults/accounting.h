// Sums over a history that hold whatever the order of operations: a second opinion beside the
// linearizability checker.
#pragma once

#include <string>
#include <vector>

#include "pkg/testing/history.h"

namespace kdb::e2e {

struct Accounts {
  size_t counters = 0;
  size_t lists = 0;
  size_t reads = 0;         // answered
  size_t acknowledged = 0;  // writes
  size_t unknown = 0;       // writes
  size_t lost = 0;          // keys whose last read lacks an acknowledged write
  size_t unread = 0;        // keys with writes and no last read: nothing can be said of them
  std::vector<std::string> problems;
};

// Of keys that were only incremented, the last read lies between what was acknowledged and that
// plus what is unknown. In keys that were only appended to, no token (they end with ',') is twice
// in any read, none is there that was not sent, and the last read has all that were acknowledged. A
// last read is one called after the last acknowledged write returned; every key that was written
// has to have one.
Accounts TakeAccounts(const std::vector<testing::Operation>& history);

}  // namespace kdb::e2e

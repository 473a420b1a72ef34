// What must hold of all that the clients of a simulation were told.
#pragma once

#include "pkg/testing/sim/op_log.h"

namespace kdb::sim {

// Violations become problems of `world`:
//   - per key, the history is linearizable;
//   - the two keys of a pair are written and read together;
//   - a value that was seen to have expired is not seen again.
void CheckCalls(const std::vector<Call>& calls, World& world);

// When the last GET of every key came after all else: counters and logs account for every
// acknowledged INCR and APPEND, and hold none twice. What CheckCalls implies, in plainer words.
void CheckAccounts(const std::vector<Call>& calls, World& world);

}  // namespace kdb::sim

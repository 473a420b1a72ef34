// Calls that only a group's leader carries out, made by one who knows the members.
#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace kdb::rpc {

// One try at the server of `address`. `hint` gets the leader's address when the server knows that
// it is another.
using AskServer = absl::FunctionRef<absl::Status(const std::string& address, std::string* hint)>;

// Asks the servers of `addresses` in turn, whom one names as the leader next, each of them once,
// until one answers: OK, or the leader's refusal. Who says UNIMPLEMENTED is not the one that is
// meant: an address is no identity, and a server of another group may be there. UNAVAILABLE: nobody
// answered as a leader does.
absl::Status AskLeader(const std::vector<std::string>& addresses, AskServer ask);

}  // namespace kdb::rpc

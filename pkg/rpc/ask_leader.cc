#include "pkg/rpc/ask_leader.h"

#include <deque>
#include <set>

namespace kdb::rpc {
namespace {

// It did not answer in time.
bool IsSilent(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

}  // namespace

absl::Status AskLeader(const std::vector<std::string>& addresses, AskServer ask) {
  std::deque<std::string> waiting(addresses.begin(), addresses.end());
  std::set<std::string> asked;
  absl::Status result = absl::UnavailableError("the group has no known members");
  while (!waiting.empty()) {
    const std::string address = waiting.front();
    waiting.pop_front();
    if (address.empty() || !asked.insert(address).second) continue;
    std::string hint;
    absl::Status status = ask(address, &hint);
    if (hint.empty() && !IsSilent(status) && !absl::IsUnimplemented(status)) return status;
    if (!hint.empty()) waiting.push_front(hint);
    // A call may succeed later if one of those that were asked may have been the leader.
    const bool first = asked.size() == 1;
    if (first || !absl::IsUnimplemented(status)) result = status;
  }
  return absl::IsUnimplemented(result) ? result : absl::UnavailableError(result.message());
}

}  // namespace kdb::rpc

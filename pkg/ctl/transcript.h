// A transcript of redis-cli: commands and what they must print. Plays it against a proxy and
// compares.
//
// Format: "> command" lines, each followed by the expected output as `redis-cli --no-raw` prints
// it; lines that begin with
// '#' and blank lines at the end of a block are ignored. ${NAME} stands for an address. Of `info`,
// only the lines that begin with "meta server:" or "server_id:" are compared, as a set of servers
// of which exactly one, any one, is the Leader.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kdb::ctl {

struct Exchange {
  std::string command;
  std::string expected;  // with a newline at the end of every line
};

// INVALID_ARGUMENT names the line: output before the first command, or an unknown ${NAME}.
absl::StatusOr<std::vector<Exchange>> ParseTranscript(
    std::string_view text, const std::map<std::string, std::string>& names);

// Empty when `actual` is what the exchange expects, else the difference for people.
std::string Compare(const Exchange& exchange, const std::string& actual);

// Runs every command by redis-cli, printing command and output. An error (after playing all) counts
// the mismatches, which were printed. UNAVAILABLE: redis-cli is missing.
absl::Status PlayTranscript(const std::vector<Exchange>& transcript, int port);

}  // namespace kdb::ctl

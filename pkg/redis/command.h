// The command table: one row per command. Routing, arity errors, COMMAND, executors and
// documentation read it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kdb::redis {

// As COMMAND INFO shows them (Redis documentation, "command flags").
enum Flag : uint32_t {
  kWrite = 1u << 0,
  kReadonly = 1u << 1,
  kDenyOom = 1u << 2,
  kAdmin = 1u << 3,
  kFast = 1u << 4,
  kNoAuth = 1u << 5,
  kLoading = 1u << 6,
  kStale = 1u << 7,
  kSkipMonitor = 1u << 8,
  kNoScript = 1u << 9,
  kMovableKeys = 1u << 10,
  kSkipSlowlog = 1u << 11,
  kAllowBusy = 1u << 12,
  kNoAsyncLoading = 1u << 13,
  kNoMulti = 1u << 14,
};

// Where a command runs and how the proxy treats its parts.
enum class Route : uint8_t {
  kProxy,      // answered by the proxy from its own state
  kSingle,     // all keys in one op to one group
  kSplitKeys,  // MGET, DEL, ...: the keys may be split over groups, the replies are merged
  kAllGroups,  // keyless on the data: DBSIZE, FLUSHALL, KEYS, RANDOMKEY, ...
  kScan,       // SCAN: the cursor says which slot
  kCatalog,    // shardgroup ...: answered by meta
};

// How replies of a command that went to several groups become one.
enum class Merge : uint8_t {
  kNone,
  kSum,         // integers are added
  kInKeyOrder,  // arrays: element i belongs to key i
  kAllOk,       // +OK when all said so, else the first error
  kConcat,      // arrays are joined
  kAnyNonNull,  // RANDOMKEY: one of the non-null replies
};

struct Command;

// Where a subcommand table hangs below a container (CLIENT, CONFIG, COMMAND, shardgroup).
using Subcommands = std::span<const Command>;

struct Command {
  std::string_view name;  // lower case, as in COMMAND INFO; subcommands: "client|list"
  int arity;              // with the name; negative: at least -arity
  uint32_t flags;
  int first_key = 0;  // positions in the arguments; 0: no keys
  int last_key = 0;   // negative: from the end
  int key_step = 0;
  Route route = Route::kProxy;
  Merge merge = Merge::kNone;
  std::string_view categories = {};  // ACL categories, space-separated, without '@'
  std::string_view group = {};       // documentation: "string", "generic", ...
  std::string_view since = {};       // Redis version
  std::string_view summary = {};     // own words
  std::string_view syntax = {};      // what follows the name, as documentation writes it
  std::string_view complexity = {};  // "O(1)"
  std::string_view tips = {};        // COMMAND INFO's, space-separated
  std::string_view key_flags = {};   // of the key specification, space-separated: "RO access"
  std::string_view key_notes = {};   // of the key specification, mostly none
  std::string_view deprecated_since = {};
  std::string_view replaced_by = {};
  Subcommands subcommands = {};  // by name
};

// Every command, by name.
std::span<const Command* const> AllCommands();
// Case-insensitive, no allocation; nullptr when unknown. Containers: the container itself.
const Command* FindCommand(std::string_view name);
// `name` without the container's: "list" of CLIENT.
const Command* FindSubcommand(const Command& container, std::string_view name);
// As rows name themselves: "get", "client", "client|list".
const Command* FindByFullName(std::string_view name);

// OK, or Redis's own words: "ERR unknown command 'x', with args beginning with: ...",
// "ERR unknown subcommand 'x'. Try CLIENT HELP.", "ERR wrong number of arguments for 'get'
// command". On OK, and when only the number of arguments is wrong, *command is the row (the
// subcommand's, if any), else it is left as it was. `args` is not empty.
absl::Status Resolve(std::span<const std::string_view> args, const Command** command);

// The number of arguments, name included, is one that the command takes.
bool ArityMatches(const Command& command, size_t arguments);

// Positions of the keys in `args`, instead of what `positions` held; `command` must be Resolve's.
void KeyPositions(const Command& command, std::span<const std::string_view> args,
                  std::vector<int>* positions);

}  // namespace kdb::redis

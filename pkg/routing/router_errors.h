// Every error that the router words itself. Clients read these, so they are interface: the first
// word is the code (README.md says what each means), and the rest says what was missing. Texts have
// neither '-' nor line end; constants are whole replies.
//
// -TIMEOUT promises that nothing was executed and nothing will be; -UNKNOWN promises nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "pkg/routing/shard_op.h"

namespace kdb::routing {

// What a command still waited for when its deadline came.
enum class Awaited : uint8_t {
  kCatalog,      // none known yet
  kAnyOwner,     // of no slot: the command is for all groups, and none owns any
  kOwner,        // of its slot
  kFormerOwner,  // the slot moved; its former group has yet to answer older commands
  kTransfer,     // the owner refuses the slot: frozen, or not its own yet
  kLeader,       // of its group
  kTurn,         // answers to older commands of its connection
  kAnswer,       // sent, or about to be
};

// "slot 5", or "shard group 2" for what has no slot.
std::string Whereabouts(const ShardOp& op, uint64_t gid);

std::string TimeoutText(Awaited awaited, std::string_view where, Clock::Duration deadline);
// The group was there, but the command came to it after its deadline.
std::string LateText(std::string_view where, uint64_t gid, Clock::Duration deadline);
// Sent, and no answer came.
std::string UnansweredText(std::string_view where, Clock::Duration deadline);
// The group does not know any more: the session is gone, or the stored reply.
std::string ForgottenText(uint64_t gid);
// Of several parts at several groups some were executed; `failure` is another's text.
std::string PartlyText(std::string_view failure);
std::string NotForShardsReply(std::string_view command);

inline constexpr char kCrossSlotReply[] =
    "-CROSSSLOT Keys in request don't hash to the same slot\r\n";
inline constexpr char kNoKeyReply[] = "-ERR the command has no key\r\n";
inline constexpr char kScanArityReply[] = "-ERR wrong number of arguments for 'scan' command\r\n";
inline constexpr char kDiskFullReply[] =
    "-OOM the disk of the shard group's leader is full; nothing was executed\r\n";
inline constexpr char kMalformedReply[] =
    "-ERR the shard group does not understand this proxy's request\r\n";
inline constexpr char kRefusedReply[] = "-ERR a shard group refused a command without slots\r\n";

}  // namespace kdb::routing

#include "pkg/routing/router_errors.h"

#include <fmt/format.h>

namespace kdb::routing {
namespace {

double Seconds(Clock::Duration span) { return std::chrono::duration<double>(span).count(); }

std::string What(Awaited awaited, std::string_view where) {
  switch (awaited) {
    case Awaited::kCatalog:
      return fmt::format("no catalog, so no owner for {},", where);
    case Awaited::kAnyOwner:
      return "no owner for any slot";
    case Awaited::kOwner:
      return fmt::format("no owner for {}", where);
    case Awaited::kFormerOwner:
      return fmt::format("{} has moved, and its former owner did not answer", where);
    case Awaited::kTransfer:
      return fmt::format("{} is moving, and no group took its commands", where);
    case Awaited::kLeader:
      return fmt::format("no leader for {}", where);
    case Awaited::kTurn:
      return fmt::format("no answer to this connection's older commands, before this one for {},",
                         where);
    case Awaited::kAnswer:
      return fmt::format("no answer for {}", where);
  }
  return {};
}

}  // namespace

std::string Whereabouts(const ShardOp& op, uint64_t gid) {
  return op.slots.empty() ? fmt::format("shard group {}", gid)
                          : fmt::format("slot {}", op.slots.front());
}

std::string TimeoutText(Awaited awaited, std::string_view where, Clock::Duration deadline) {
  return fmt::format("TIMEOUT {} within {:g} s; nothing was executed", What(awaited, where),
                     Seconds(deadline));
}

std::string LateText(std::string_view where, uint64_t gid, Clock::Duration deadline) {
  return fmt::format(
      "TIMEOUT the command for {} reached shard group {} after its deadline of {:g} s; "
      "nothing was executed",
      where, gid, Seconds(deadline));
}

std::string UnansweredText(std::string_view where, Clock::Duration deadline) {
  return fmt::format(
      "UNKNOWN no answer for {} within {:g} s; the command may or may not have been executed",
      where, Seconds(deadline));
}

std::string ForgottenText(uint64_t gid) {
  return fmt::format(
      "UNKNOWN shard group {} has no record any more of what became of the command; it may or may "
      "not have been executed",
      gid);
}

std::string PartlyText(std::string_view failure) {
  return fmt::format("UNKNOWN a part of the command was executed, another was not ({})", failure);
}

std::string NotForShardsReply(std::string_view command) {
  return fmt::format("-ERR '{}' does not run on shards\r\n", command);
}

}  // namespace kdb::routing

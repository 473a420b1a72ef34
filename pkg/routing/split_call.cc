#include "pkg/routing/split_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pkg/routing/router_errors.h"

namespace kdb::routing {

uint32_t SplitCall::AddPart(std::vector<uint32_t> keys) {
  ++running_;
  parts_.push_back({std::move(keys), {}});
  return static_cast<uint32_t>(parts_.size() - 1);
}

void SplitCall::Replace(uint32_t part) {
  --running_;
  parts_[part].keys.clear();
}

bool SplitCall::End(uint32_t part, PartEnd how, std::string text) {
  switch (how) {
    case PartEnd::kTimeout:
      timeout_ = std::move(text);
      break;
    case PartEnd::kUnknown:
      unknown_ = std::move(text);
      break;
    case PartEnd::kReply:
      if (text.starts_with('-')) {
        if (error_.empty()) error_ = text.substr(1, text.find("\r\n") - 1);
      } else {
        executed_ = true;
        parts_[part].reply = std::move(text);
      }
      break;
  }
  return --running_ == 0;
}

void SplitCall::Finish(Random& random) {
  std::string outcome = Outcome(random);
  if (done_) return std::exchange(done_, nullptr)(std::move(outcome));
  std::vector<std::string> replies;
  if (!outcome.empty()) {
    replies.push_back(std::move(outcome));
  } else {
    for (PartReply& part : parts_) replies.push_back(std::move(part.reply));
  }
  std::exchange(done_raw_, nullptr)(std::move(replies));
}

std::string SplitCall::Outcome(Random& random) {
  if (!unknown_.empty()) return fmt::format("-{}\r\n", unknown_);
  if (!timeout_.empty()) return Failure(timeout_);
  if (!error_.empty()) return Failure(error_);
  if (done_raw_) return {};
  // Replaced parts have no reply.
  std::vector<PartReply> replies;
  for (PartReply& part : parts_) {
    if (!part.reply.empty()) replies.push_back(std::move(part));
  }
  return MergeReplies(command_.merge, version_, keys_, replies, random);
}

// Errors say that nothing was executed: of the whole command that need not be true.
std::string SplitCall::Failure(std::string_view text) const {
  bool partly = executed_ && (command_.flags & redis::kWrite) != 0;
  return fmt::format("-{}\r\n", partly ? PartlyText(text) : text);
}

void CutArgs(const redis::Command& command, std::span<const std::string_view> args,
             std::span<const int> positions, std::span<const uint32_t> keys, OwnedArgs* out) {
  auto step = static_cast<size_t>(std::max(command.key_step, 1));
  auto head = static_cast<size_t>(command.first_key);
  size_t bytes = 0;
  auto each = [&](auto&& take) {
    for (size_t i = 0; i < head; ++i) take(args[i]);
    for (uint32_t key : keys) {
      auto at = static_cast<size_t>(positions[key]);
      for (size_t i = at; i < std::min(at + step, args.size()); ++i) take(args[i]);
    }
  };
  each([&bytes](std::string_view arg) { bytes += arg.size(); });
  out->Reserve(head + keys.size() * step, bytes);
  each([out](std::string_view arg) { out->Add(arg); });
}

}  // namespace kdb::routing

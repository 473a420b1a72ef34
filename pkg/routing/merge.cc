#include "pkg/routing/merge.h"

#include <optional>
#include <string_view>

#include "pkg/resp/integer.h"
#include "pkg/resp/reply_reader.h"

namespace kdb::routing {
namespace {

std::string Broken() { return "-ERR the shard groups' replies do not fit together\r\n"; }

// The elements of an encoded array, each still encoded; nullopt when `reply` is none.
std::optional<std::vector<std::string_view>> Elements(std::string_view reply) {
  size_t end = reply.find("\r\n");
  if (reply.empty() || reply[0] != '*' || end == std::string_view::npos) return std::nullopt;
  std::optional<int64_t> count = resp::ParseInteger(reply.substr(1, end - 1));
  if (!count.has_value() || *count < 0) return std::nullopt;
  reply.remove_prefix(end + 2);
  std::vector<std::string_view> elements;
  for (int64_t i = 0; i < *count; ++i) {
    std::optional<size_t> length = resp::ReplyLength(reply);
    if (!length.has_value() || *length == 0) return std::nullopt;
    elements.push_back(reply.substr(0, *length));
    reply.remove_prefix(*length);
  }
  return elements;
}

std::string Sum(resp::Version version, std::span<const PartReply> parts) {
  int64_t sum = 0;
  for (const PartReply& part : parts) {
    std::optional<resp::Reply> reply = resp::ReadReply(part.reply);
    if (!reply.has_value() || reply->type != resp::Reply::Type::kInteger) return Broken();
    sum += reply->integer;
  }
  std::string out;
  resp::ReplyWriter(version, out).Integer(sum);
  return out;
}

std::string Join(resp::Version version, const std::vector<std::string_view>& elements) {
  std::string out;
  resp::ReplyWriter writer(version, out);
  writer.Array(elements.size());
  for (std::string_view element : elements) writer.Raw(element);
  return out;
}

std::string InKeyOrder(resp::Version version, uint32_t keys, std::span<const PartReply> parts) {
  std::vector<std::string_view> by_key(keys);
  size_t found = 0;
  for (const PartReply& part : parts) {
    auto elements = Elements(part.reply);
    if (!elements.has_value() || elements->size() != part.keys.size()) return Broken();
    for (size_t i = 0; i < part.keys.size(); ++i) by_key[part.keys[i]] = (*elements)[i];
    found += part.keys.size();
  }
  return found == keys ? Join(version, by_key) : Broken();
}

std::string Concat(resp::Version version, std::span<const PartReply> parts) {
  std::vector<std::string_view> all;
  for (const PartReply& part : parts) {
    auto elements = Elements(part.reply);
    if (!elements.has_value()) return Broken();
    all.insert(all.end(), elements->begin(), elements->end());
  }
  return Join(version, all);
}

std::string AnyNonNull(std::span<const PartReply> parts, Random& random) {
  std::vector<const PartReply*> candidates;
  for (const PartReply& part : parts) {
    std::optional<resp::Reply> reply = resp::ReadReply(part.reply);
    if (reply.has_value() && reply->type != resp::Reply::Type::kNull) candidates.push_back(&part);
  }
  return candidates.empty() ? parts.front().reply
                            : candidates[random.Uniform(candidates.size())]->reply;
}

}  // namespace

std::string MergeReplies(redis::Merge merge, resp::Version version, uint32_t keys,
                         std::span<const PartReply> parts, Random& random) {
  if (parts.empty()) return Broken();
  switch (merge) {
    case redis::Merge::kSum:
      return Sum(version, parts);
    case redis::Merge::kInKeyOrder:
      return InKeyOrder(version, keys, parts);
    case redis::Merge::kConcat:
      return Concat(version, parts);
    case redis::Merge::kAnyNonNull:
      return AnyNonNull(parts, random);
    case redis::Merge::kAllOk:
    case redis::Merge::kNone:
      return parts.front().reply;
  }
  return Broken();
}

}  // namespace kdb::routing

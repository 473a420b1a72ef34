#include "pkg/raft/types.h"

#include <algorithm>

#include "pkg/base/coding.h"

namespace kdb::raft {
namespace {

constexpr uint8_t kConfChangeVersion = 1;
constexpr uint8_t kConfStateVersion = 1;

void AppendIds(std::string& out, const std::vector<NodeId>& ids) {
  AppendVarint(out, ids.size());
  for (NodeId id : ids) AppendVarint(out, id);
}

// Ids are strictly increasing and never 0, so that equal configurations have equal bytes.
bool ReadIds(ByteReader& in, std::vector<NodeId>* ids) {
  uint64_t n = in.Varint();
  if (n > in.rest().size()) return false;  // an id takes a byte or more
  ids->clear();
  ids->reserve(n);
  NodeId previous = kNoNode;
  for (uint64_t i = 0; i < n; ++i) {
    NodeId id = in.Varint();
    if (!in.ok() || id <= previous) return false;
    ids->push_back(previous = id);
  }
  return in.ok();
}

bool ReadFlag(ByteReader& in, bool* flag) {
  uint64_t v = in.Varint();
  *flag = v == 1;
  return in.ok() && v <= 1;
}

}  // namespace

std::string EncodeConfChange(const ConfChange& change) {
  std::string out(1, static_cast<char>(kConfChangeVersion));
  AppendVarint(out, change.steps.size());
  for (const ConfChange::Step& step : change.steps) {
    out.push_back(static_cast<char>(step.kind));
    AppendVarint(out, step.node);
  }
  AppendLengthPrefixed(out, change.context);
  return out;
}

bool DecodeConfChange(std::string_view bytes, ConfChange* change) {
  ByteReader in(bytes);
  if (in.Little<uint8_t>() != kConfChangeVersion) return false;
  uint64_t n = in.Varint();
  if (n > in.rest().size()) return false;
  *change = {};
  change->steps.reserve(n);
  for (uint64_t i = 0; i < n; ++i) {
    auto kind = in.Little<uint8_t>();
    NodeId node = in.Varint();
    if (!in.ok() || kind > static_cast<uint8_t>(ConfChangeKind::kUpdate)) return false;
    change->steps.push_back({static_cast<ConfChangeKind>(kind), node});
  }
  change->context = in.LengthPrefixed();
  return in.done() && EncodeConfChange(*change) == bytes;  // one change, one encoding
}

std::string EncodeConfState(const ConfState& conf) {
  std::string out(1, static_cast<char>(kConfStateVersion));
  AppendIds(out, conf.voters);
  AppendIds(out, conf.voters_outgoing);
  AppendIds(out, conf.learners);
  AppendIds(out, conf.learners_next);
  AppendVarint(out, conf.auto_leave ? 1 : 0);
  return out;
}

bool DecodeConfState(std::string_view bytes, ConfState* conf) {
  ByteReader in(bytes);
  if (in.Little<uint8_t>() != kConfStateVersion) return false;
  *conf = {};
  return ReadIds(in, &conf->voters) && ReadIds(in, &conf->voters_outgoing) &&
         ReadIds(in, &conf->learners) && ReadIds(in, &conf->learners_next) &&
         ReadFlag(in, &conf->auto_leave) && in.done() && EncodeConfState(*conf) == bytes;
}

}  // namespace kdb::raft

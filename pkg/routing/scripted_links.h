// For tests: links whose other end is the test. Each request is recorded; the test answers by hand.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pkg/routing/shard_link.h"
#include "pkg/wire/batch.h"

namespace kdb::routing {

// The first word of every command of a batch and its first argument: "set a", "get b".
inline std::vector<std::string> Commands(const std::string& bytes) {
  std::vector<std::string> commands;
  const wire::Batch batch = *wire::DecodeBatch(bytes);
  for (const wire::Op& op : batch.ops) {
    const wire::CommandArgs& args = op.commands.front();
    std::string text(args[0]);
    if (args.size() > 1) text.append(" ").append(args[1]);
    commands.push_back(std::move(text));
  }
  return commands;
}

class ScriptedLink final : public ShardLink {
 public:
  ScriptedLink(uint64_t gid, std::string address, ShardLinkHandler& handler,
               std::set<ScriptedLink*>& open)
      : gid(gid), address(std::move(address)), handler(handler), open_(open) {
    open_.insert(this);
  }
  ~ScriptedLink() override { open_.erase(this); }

  void OpenSession(uint64_t request_id) override { opens.push_back(request_id); }
  void CloseSession(uint64_t session) override { closed.push_back(session); }
  void SendWrite(std::string batch) override { writes.push_back(std::move(batch)); }
  void SendRead(uint64_t id, std::string batch) override {
    reads.emplace_back(id, std::move(batch));
  }

  // --- The test's side.

  void Opened(uint64_t session) { handler.OnSessionOpened(opens.back(), session, 1000, {}, {}); }
  // Answers the write batch `i` of this link; an empty `results`: one +OK each.
  void Executed(size_t i, std::vector<wire::Result> results = {}) {
    handler.OnWriteReply(Reply(writes[i], Head(i).session, Head(i).seq, std::move(results)));
  }
  void Refused(size_t i, wire::BatchCode code, std::string_view hint = {}, uint64_t last = 0) {
    wire::BatchReply reply;
    reply.session = Head(i).session;
    reply.seq = Head(i).seq;
    reply.code = code;
    reply.hint = hint;
    reply.last = last;
    reply.log_time_ms = 1000;
    handler.OnWriteReply(wire::BatchReplyBuilder::Refusal(reply));
  }
  void ReadExecuted(size_t i, std::vector<wire::Result> results) {
    handler.OnReadReply(Reply(reads[i].second, 0, reads[i].first, std::move(results)));
  }
  void ReadRefused(size_t i, wire::BatchCode code, std::string_view hint = {}) {
    wire::BatchReply reply;
    reply.seq = reads[i].first;
    reply.code = code;
    reply.hint = hint;
    handler.OnReadReply(wire::BatchReplyBuilder::Refusal(reply));
  }
  wire::BatchHeader Head(size_t i) const { return *wire::DecodeBatchHeader(writes[i]); }

  const uint64_t gid;
  const std::string address;
  ShardLinkHandler& handler;
  std::vector<uint64_t> opens;
  std::vector<uint64_t> closed;
  std::vector<std::string> writes;
  std::vector<std::pair<uint64_t, std::string>> reads;

 private:
  static std::string Reply(const std::string& batch, uint64_t session, uint64_t seq,
                           std::vector<wire::Result> results) {
    size_t ops = wire::DecodeBatch(batch)->ops.size();
    wire::Result ok;
    ok.reply = "+OK\r\n";
    if (results.empty()) results.assign(ops, ok);
    wire::BatchReplyBuilder builder;
    builder.Start(session, seq, 1000);
    for (const wire::Result& result : results) builder.AddResult(result);
    return builder.Finish();
  }

  std::set<ScriptedLink*>& open_;
};

class ScriptedLinks final : public ShardLinkFactory {
 public:
  std::unique_ptr<ShardLink> Connect(uint64_t gid, const std::string& address,
                                     ShardLinkHandler& handler) override {
    auto link = std::make_unique<ScriptedLink>(gid, address, handler, open_);
    links.push_back(link.get());
    return link;
  }
  bool IsOpen(ScriptedLink* link) const { return open_.contains(link); }
  // The newest link of a group, or null.
  ScriptedLink* Of(uint64_t gid) const {
    auto it = std::find_if(links.rbegin(), links.rend(), [this, gid](ScriptedLink* link) {
      return IsOpen(link) && link->gid == gid;
    });
    return it == links.rend() ? nullptr : *it;
  }

  std::vector<ScriptedLink*> links;  // all ever; those not open are gone

 private:
  std::set<ScriptedLink*> open_;
};

inline wire::Result TextResult(std::string_view reply) {
  wire::Result result;
  result.reply = reply;
  return result;
}
inline wire::Result CodeResult(wire::ResultCode code, uint64_t gid = 0, uint64_t epoch = 0,
                               std::string_view addresses = {}) {
  wire::Result result;
  result.code = code;
  result.gid = gid;
  result.epoch = epoch;
  result.addresses = addresses;
  return result;
}

}  // namespace kdb::routing

#include "pkg/routing/model_shard_test.h"

#include <gtest/gtest.h>

#include "absl/functional/any_invocable.h"
#include "pkg/resp/reply_writer.h"

namespace kdb::routing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

}  // namespace

void ModelGroup::Depose() {
  leader_.clear();
  ++term_;
}

void ModelGroup::MoveSlot(shard::Slot slot, ModelGroup& to, uint64_t epoch) {
  foreign_.insert(slot);
  forward_[slot] = {to.gid_, epoch};
  to.foreign_.erase(slot);
  to.forward_.erase(slot);
  for (auto it = data_.begin(); it != data_.end();) {
    if (shard::SlotOf(it->first) == slot) {
      to.data_[it->first] = it->second;
      it = data_.erase(it);
    } else {
      ++it;
    }
  }
}

std::string ModelGroup::Command(const wire::CommandArgs& args) {
  std::string out;
  resp::ReplyWriter reply(resp::Version::kResp2, out);
  std::string key(args[1]);
  if (args[0] == "append") {
    reply.Integer(static_cast<int64_t>(data_[key].append(args[2]).size()));
    return out;
  }
  auto it = data_.find(key);
  it == data_.end() ? reply.Null() : reply.Bulk(it->second);
  return out;
}

void ModelGroup::Run(const wire::Op& op, Session* session, wire::BatchReplyBuilder& reply) {
  shard::Slot slot = op.slots.front();
  wire::Result result;
  std::string text;
  if (op.resume && session != nullptr) session->refused.erase(slot);
  bool refused = session != nullptr && session->refused.contains(slot);
  if (!refused && forward_.contains(slot)) {
    result.code = wire::ResultCode::kMoved;
    result.gid = forward_[slot].gid;
    result.epoch = forward_[slot].epoch;
  } else if (refused || foreign_.contains(slot)) {
    result.code = wire::ResultCode::kFrozen;
  } else if (op.not_after_ms != 0 && LogTime() > op.not_after_ms) {
    result.code = wire::ResultCode::kLate;
  } else if ((op.bounded_reply || (faults_.full_read_batches && session == nullptr)) &&
             faults_.large_reply_one_in > 0 && loop_.random().OneIn(faults_.large_reply_one_in)) {
    result.code = wire::ResultCode::kByIndex;
  } else {
    ++executed_;
    text = Command(op.commands.front());
    result.reply = text;
  }
  bool owned = result.code != wire::ResultCode::kMoved && result.code != wire::ResultCode::kFrozen;
  if (!owned && session != nullptr) session->refused.insert(slot);
  reply.AddResult(result);
}

std::string ModelGroup::Apply(const std::string& bytes) {
  wire::Batch batch = *wire::DecodeBatch(bytes);
  wire::BatchReply refusal;
  refusal.session = batch.header.session;
  refusal.seq = batch.header.seq;
  refusal.log_time_ms = LogTime();
  auto session = sessions_.find(batch.header.session);
  if (session == sessions_.end()) {
    refusal.code = wire::BatchCode::kExpired;
    return wire::BatchReplyBuilder::Refusal(refusal);
  }
  Session& state = session->second;
  state.replies.erase(state.replies.begin(), state.replies.lower_bound(batch.header.ack_below));
  if (batch.header.seq <= state.last) {
    auto stored = state.replies.find(batch.header.seq);
    if (stored != state.replies.end()) return stored->second;
    refusal.code = wire::BatchCode::kTrimmed;
    return wire::BatchReplyBuilder::Refusal(refusal);
  }
  if (batch.header.seq != state.last + 1) {
    refusal.code = wire::BatchCode::kGap;
    refusal.last = state.last;
    return wire::BatchReplyBuilder::Refusal(refusal);
  }
  wire::BatchReplyBuilder reply;
  reply.Start(batch.header.session, batch.header.seq, LogTime());
  for (const wire::Op& op : batch.ops) Run(op, &state, reply);
  state.last = batch.header.seq;
  return state.replies[state.last] = reply.Finish();
}

std::string ModelGroup::Read(uint64_t id, const std::string& bytes) {
  wire::Batch batch = *wire::DecodeBatch(bytes);
  wire::BatchReplyBuilder reply;
  reply.Start(0, id, LogTime());
  for (const wire::Op& op : batch.ops) Run(op, nullptr, reply);
  return reply.Finish();
}

// Both directions keep their order; a fault ends the link.
class ModelLink final : public ShardLink {
 public:
  ModelLink(testing::SimLoop& loop, Executor& executor, ModelGroup& group, std::string address,
            ShardLinkHandler& handler)
      : state_(std::make_shared<State>(loop, executor, group, std::move(address), handler)) {}
  ~ModelLink() override { state_->handler = nullptr; }

  void OpenSession(uint64_t request_id) override {
    ToMember([request_id](State& s) {
      if (!s.Leads()) return s.RefuseSession(request_id);
      uint64_t session = s.group.NewSession();
      s.ToProxy([request_id, session, now = s.group.LogTime()](ShardLinkHandler& handler) {
        handler.OnSessionOpened(request_id, session, now, {}, {});
      });
    });
  }
  void CloseSession(uint64_t /*session*/) override {}
  void SendWrite(std::string batch) override {
    ToMember([batch = std::move(batch)](State& s) { s.Propose(batch); });
  }
  void SendRead(uint64_t id, std::string batch) override {
    ToMember([id, batch = std::move(batch)](State& s) {
      std::string reply =
          s.Leads() ? s.group.Read(id, batch) : s.Refusal(0, id, wire::BatchCode::kNotLeader);
      s.ToProxy([reply](ShardLinkHandler& handler) { handler.OnReadReply(reply); });
    });
  }

 private:
  struct State : std::enable_shared_from_this<State> {
    State(testing::SimLoop& loop, Executor& executor, ModelGroup& group, std::string address,
          ShardLinkHandler& handler)
        : loop(loop),
          executor(executor),
          group(group),
          address(std::move(address)),
          handler(&handler) {}

    bool Leads() const { return group.leader() == address; }

    std::string Refusal(uint64_t session, uint64_t seq, wire::BatchCode code) {
      wire::BatchReply reply;
      reply.session = session;
      reply.seq = seq;
      reply.code = code;
      if (loop.random().OneIn(2)) reply.hint = group.leader();
      return wire::BatchReplyBuilder::Refusal(reply);
    }
    void RefuseSession(uint64_t request_id) {
      ToProxy([request_id, hint = group.leader()](ShardLinkHandler& handler) {
        handler.OnSessionOpened(request_id, 0, 0, "not the leader", hint);
      });
    }

    // The entry commits a little later, in order; if the leader is deposed meanwhile, perhaps, and
    // nobody here answers.
    void Propose(const std::string& batch) {
      wire::BatchHeader head = *wire::DecodeBatchHeader(batch);
      bool busy = group.faults_.busy_one_in > 0 && loop.random().OneIn(group.faults_.busy_one_in);
      if (!Leads() || busy) {
        bool full = group.faults_.disk_full && loop.random().OneIn(4);
        auto refusal = full ? wire::BatchCode::kDiskFull : wire::BatchCode::kBusy;
        auto code = busy && Leads() ? refusal : wire::BatchCode::kNotLeader;
        return AnswerWrite(Refusal(head.session, head.seq, code));
      }
      uint64_t term = group.term_;
      commit_at = std::max(commit_at, loop.Now()) + microseconds(1 + loop.random().Uniform(500));
      loop.After(commit_at - loop.Now(), [self = shared_from_this(), batch, term] {
        bool deposed = self->group.term_ != term;
        if (deposed && self->lost) return;
        // A log is cut at one place: what follows a lost entry is lost too.
        if (deposed && self->loop.random().OneIn(2)) {
          self->lost = true;
          return;
        }
        std::string reply = self->group.Apply(batch);
        if (!deposed) self->AnswerWrite(std::move(reply));
      });
    }
    void AnswerWrite(std::string reply) {
      ToProxy(
          [reply = std::move(reply)](ShardLinkHandler& handler) { handler.OnWriteReply(reply); });
    }

    bool Breaks() {
      uint64_t one_in = group.faults_.break_link_one_in;
      return one_in > 0 && loop.random().OneIn(one_in);
    }
    void ToProxy(absl::AnyInvocable<void(ShardLinkHandler&)> deliver) {
      if (broken) return;
      if (Breaks()) return Break();
      proxy_at = std::max(proxy_at, loop.Now()) + microseconds(1 + loop.random().Uniform(300));
      loop.After(proxy_at - loop.Now(),
                 [self = shared_from_this(), deliver = std::move(deliver)]() mutable {
                   self->executor.Post([self, deliver = std::move(deliver)]() mutable {
                     if (self->handler != nullptr && !self->told) deliver(*self->handler);
                   });
                 });
    }
    void Break() {
      broken = true;
      loop.After(milliseconds(loop.random().Uniform(5)), [self = shared_from_this()] {
        self->executor.Post([self] {
          self->told = true;
          if (self->handler != nullptr) self->handler->OnBroken(absl::UnavailableError("broken"));
        });
      });
    }

    testing::SimLoop& loop;
    Executor& executor;
    ModelGroup& group;
    const std::string address;
    ShardLinkHandler* handler;  // null: destroyed
    bool broken = false;
    bool told = false;
    bool lost = false;  // the tail of the deposed leader's log
    testing::SimLoop::Duration member_at{0};
    testing::SimLoop::Duration proxy_at{0};
    testing::SimLoop::Duration commit_at{0};
  };

  void ToMember(absl::AnyInvocable<void(State&)> deliver) {
    State& s = *state_;
    if (s.broken) return;
    if (s.Breaks()) return s.Break();
    s.member_at =
        std::max(s.member_at, s.loop.Now()) + microseconds(1 + s.loop.random().Uniform(300));
    s.loop.After(s.member_at - s.loop.Now(),
                 [state = state_, deliver = std::move(deliver)]() mutable { deliver(*state); });
  }

  std::shared_ptr<State> state_;  // shared with messages on their way
};

std::unique_ptr<ShardLink> ModelLinks::Connect(uint64_t gid, const std::string& address,
                                               ShardLinkHandler& handler) {
  return std::make_unique<ModelLink>(loop_, executor_, *groups_.at(gid), address, handler);
}

}  // namespace kdb::routing

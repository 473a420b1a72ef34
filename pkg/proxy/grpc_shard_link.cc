#include "pkg/proxy/grpc_shard_link.h"

#include <deque>
#include <utility>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/rpc/channel.h"

namespace kdb::proxy {
namespace {

using shardpb::CommandsReply;
using shardpb::CommandsRequest;

}  // namespace

// Counts streams that have not ended.
class GrpcShardLinkFactory::Streams {
 public:
  void Begin() {
    MutexLock lock(mu_);
    ++open_;
  }
  void End() {
    MutexLock lock(mu_);
    if (--open_ == 0) none_.NotifyAll();
  }
  void WaitForNone() {
    MutexLock lock(mu_);
    while (open_ > 0) none_.Wait(mu_);
  }

 private:
  Mutex mu_;
  CondVar none_;
  int open_ ABSL_GUARDED_BY(mu_) = 0;
};

// Lives until gRPC is done with it and no task refers to it. Reactions run on gRPC's threads; Send,
// Deliver and Abandon on the executor.
class GrpcShardLinkFactory::Stream final
    : public grpc::ClientBidiReactor<CommandsRequest, CommandsReply>,
      public std::enable_shared_from_this<Stream> {
 public:
  Stream(Executor& executor, std::shared_ptr<Streams> streams, ShardLinkHandler& handler)
      : executor_(executor), streams_(std::move(streams)), handler_(&handler) {
    streams_->Begin();
  }

  void Start(const std::shared_ptr<grpc::Channel>& channel) {
    self_ = shared_from_this();
    stub_ = shardpb::Shard::NewStub(channel);
    stub_->async()->Commands(&context_, this);
    AddHold();  // for Send, which is no reaction; ends with the read that fails
    StartRead(&reply_);
    StartCall();
  }

  void Send(CommandsRequest request) {
    MutexLock lock(mu_);
    if (ended_) return;
    writes_.push_back(std::move(request));
    if (writes_.size() == 1) StartWrite(&writes_.front());
  }

  void Abandon() {
    handler_ = nullptr;
    context_.TryCancel();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      {
        MutexLock lock(mu_);
        ended_ = true;
      }
      return RemoveHold();
    }
    if (!Join(reply_)) return StartRead(&reply_);
    bool first;
    {
      MutexLock lock(mu_);
      first = inbox_.empty();
      inbox_.push_back(std::move(reply_));
    }
    reply_.Clear();
    StartRead(&reply_);
    // One task for all replies that come until it runs.
    if (first) executor_.Post([self = shared_from_this()] { self->Deliver(); });
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(mu_);
    writes_.pop_front();
    if (ok && !ended_ && !writes_.empty()) StartWrite(&writes_.front());
  }

  void OnDone(const grpc::Status& status) override {
    // The task may be the last to hold this object: it is not touched after Post.
    std::shared_ptr<Streams> streams = streams_;
    Executor& executor = executor_;
    // Moved: gRPC's channel must not be destroyed on gRPC's own thread, which it would join.
    executor.Post([self = std::move(self_), why = rpc::FromGrpc(status)] {
      self->Deliver();
      if (self->handler_ == nullptr) return;
      self->handler_->OnBroken(why.ok() ? absl::UnavailableError("the server ended the stream")
                                        : why);
    });
    streams->End();
  }

 private:
  // False: `reply` is the front of a later one. Takes it, or puts what came before in front.
  bool Join(CommandsReply& reply) {
    if (reply.kind_case() == CommandsReply::kPart) {
      parts_.append(reply.part());
      return false;
    }
    if (parts_.empty()) return true;
    std::string* last = reply.kind_case() == CommandsReply::kReadReply
                            ? reply.mutable_read_reply()
                            : reply.mutable_write_reply();
    parts_.append(*last);
    last->swap(parts_);
    std::string().swap(parts_);
    return true;
  }

  void Deliver() {
    std::vector<CommandsReply> replies;
    {
      MutexLock lock(mu_);
      replies.swap(inbox_);
    }
    for (const CommandsReply& reply : replies) {
      if (handler_ == nullptr) return;
      Deliver(reply);
    }
  }

  void Deliver(const CommandsReply& reply) {
    switch (reply.kind_case()) {
      case CommandsReply::kWriteReply:
        return handler_->OnWriteReply(reply.write_reply());
      case CommandsReply::kReadReply:
        return handler_->OnReadReply(reply.read_reply());
      case CommandsReply::kSessionOpened: {
        const shardpb::SessionOpened& opened = reply.session_opened();
        return handler_->OnSessionOpened(opened.request_id(), opened.session(),
                                         opened.log_time_ms(), opened.refusal(),
                                         opened.leader_address());
      }
      case CommandsReply::kLeaderChanged:
        return handler_->OnLeaderChanged(reply.leader_changed().leader_address());
      case CommandsReply::kPart:  // joined in OnReadDone
      case CommandsReply::KIND_NOT_SET:
        return;  // of a later release
    }
  }

  Executor& executor_;
  const std::shared_ptr<Streams> streams_;
  std::unique_ptr<shardpb::Shard::Stub> stub_;
  grpc::ClientContext context_;
  CommandsReply reply_;
  std::string parts_;             // of a reply that is not whole yet
  std::shared_ptr<Stream> self_;  // until OnDone

  ShardLinkHandler* handler_;  // on the executor; null: abandoned

  Mutex mu_;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<CommandsRequest> writes_ ABSL_GUARDED_BY(mu_);  // front: being written
  std::vector<CommandsReply> inbox_ ABSL_GUARDED_BY(mu_);
};

class GrpcShardLinkFactory::Link final : public ShardLink, public ShardLinkHandler {
 public:
  Link(GrpcShardLinkFactory& factory, std::string address, ShardLinkHandler& handler)
      : factory_(factory),
        address_(std::move(address)),
        handler_(handler),
        stream_(std::make_shared<Stream>(factory.executor_, factory.streams_, *this)) {}
  ~Link() override { stream_->Abandon(); }

  void Start(const std::shared_ptr<grpc::Channel>& channel, CommandsRequest hello) {
    stream_->Start(channel);
    stream_->Send(std::move(hello));
  }

  void OpenSession(uint64_t request_id) override {
    CommandsRequest request;
    request.mutable_open_session()->set_request_id(request_id);
    stream_->Send(std::move(request));
  }
  void CloseSession(uint64_t session) override {
    CommandsRequest request;
    request.set_close_session(session);
    stream_->Send(std::move(request));
  }
  void SendWrite(std::string batch) override {
    CommandsRequest request;
    request.set_write_batch(std::move(batch));
    stream_->Send(std::move(request));
  }
  void SendRead(uint64_t id, std::string batch) override {
    CommandsRequest request;
    request.mutable_read_batch()->set_id(id);
    request.mutable_read_batch()->set_batch(std::move(batch));
    stream_->Send(std::move(request));
  }

 private:
  void OnSessionOpened(uint64_t request_id, uint64_t session, int64_t log_time_ms,
                       std::string_view refusal, std::string_view leader_address) override {
    handler_.OnSessionOpened(request_id, session, log_time_ms, refusal, leader_address);
  }
  void OnWriteReply(std::string_view reply) override { handler_.OnWriteReply(reply); }
  void OnReadReply(std::string_view reply) override { handler_.OnReadReply(reply); }
  void OnLeaderChanged(std::string_view address) override { handler_.OnLeaderChanged(address); }
  void OnBroken(const absl::Status& why) override {
    factory_.channels_.erase(address_);
    handler_.OnBroken(why);
  }

  GrpcShardLinkFactory& factory_;
  const std::string address_;
  ShardLinkHandler& handler_;
  std::shared_ptr<Stream> stream_;  // shared with gRPC and posted tasks
};

GrpcShardLinkFactory::GrpcShardLinkFactory(Executor& executor, std::string client)
    : executor_(executor), client_(std::move(client)), streams_(std::make_shared<Streams>()) {}

GrpcShardLinkFactory::~GrpcShardLinkFactory() { streams_->WaitForNone(); }

std::unique_ptr<ShardLink> GrpcShardLinkFactory::Connect(uint64_t gid, const std::string& address,
                                                         ShardLinkHandler& handler) {
  std::shared_ptr<grpc::Channel>& channel = channels_[address];
  if (channel == nullptr) channel = rpc::NewChannel(address, "commands");
  CommandsRequest hello;
  hello.mutable_hello()->set_cluster_id(cluster_id_);
  hello.mutable_hello()->set_gid(gid);
  hello.mutable_hello()->set_client(client_);
  auto link = std::make_unique<Link>(*this, address, handler);
  link->Start(channel, std::move(hello));
  return link;
}

}  // namespace kdb::proxy

#include "pkg/server/command_replies.h"

namespace kdb::server {
namespace {

constexpr size_t kMaxPartBytes = 4 << 20;

}  // namespace

void CommandReplies::Send(const shardpb::CommandsReply& reply) {
  if (connection_->queued_bytes() > max_unread_bytes_) return connection_->Close();
  connection_->Send(net::ToFrame(reply));
}

void CommandReplies::SendWriteReply(std::string_view bytes) {
  SendInParts(&shardpb::CommandsReply::mutable_write_reply, bytes);
}

void CommandReplies::SendReadReply(std::string_view bytes) {
  SendInParts(&shardpb::CommandsReply::mutable_read_reply, bytes);
}

void CommandReplies::SendInParts(Field field, std::string_view bytes) {
  MutexLock lock(mu_);
  for (; bytes.size() > kMaxPartBytes; bytes.remove_prefix(kMaxPartBytes)) {
    shardpb::CommandsReply part;
    part.set_part(bytes.data(), kMaxPartBytes);
    Send(part);
  }
  shardpb::CommandsReply last;
  (last.*field)()->assign(bytes);
  Send(last);
}

}  // namespace kdb::server

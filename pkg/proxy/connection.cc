#include "pkg/proxy/connection.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <asio/write.hpp>
#include <utility>

#include "pkg/base/check.h"
#include "pkg/proxy/io_thread.h"
#include "pkg/proxy/local_shards.h"
#include "pkg/redis/ascii.h"

namespace kdb::proxy {
namespace {

constexpr size_t kMinRead = 16 << 10;
constexpr size_t kMaxRead = 1 << 20;
constexpr size_t kFairOutput =
    1 << 20;  // what each may keep unread when all together have too much

// A peer that vanished is noticed after some minutes, at once when there is something to send for a
// minute.
void ConfigureSocket(int fd) {
  auto set = [fd](int level, int option, int value) {
    setsockopt(fd, level, option, &value, sizeof(value));  // best effort
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 120);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 20);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 60000);
}

// A web page can make a browser post to us; what it puts into the body must not run as commands.
bool IsHttp(std::string_view name) {
  return redis::EqualsIgnoreCase(name, "post") || redis::EqualsIgnoreCase(name, "host:");
}

std::string ErrorReply(std::string_view text) {
  std::string out;
  resp::ReplyWriter(resp::Version::kResp2, out).Error(text);
  return out;
}

}  // namespace

// A local command under way.
class Connection::Call final : public LocalCall {
 public:
  Call(Connection& connection, uint64_t number, const redis::Command& command,
       std::span<const std::string_view> args, const ProxyContext& proxy)
      : LocalCall(command, args, connection.info_, proxy, connection.thread_.stats().usage_totals(),
                  writer_),
        connection_(connection),
        number_(number),
        writer_(connection.info_.version, out_) {}

  Done Later() override {
    later_ = true;
    // Weak: the connection may be gone by then.
    return [weak = connection_.weak_from_this(), executor = &connection_.thread_.executor(),
            number = number_](std::string reply) {
      executor->Post([weak, number, reply = std::move(reply)]() mutable {
        if (std::shared_ptr<Connection> self = weak.lock())
          self->Complete(number, std::move(reply));
      });
    };
  }
  void AskShards(const redis::Command& command, ShardsDone done) override {
    AskAllShards(connection_.thread_.router(), connection_.thread_.executor(), command,
                 std::move(done));
  }
  void CloseAfterReply() override { connection_.ended_ = true; }
  resp::ReplyWriter Writer() override { return {connection_.info_.version, out_}; }

  bool later() const { return later_; }
  std::string TakeReply() { return std::move(out_); }

 private:
  Connection& connection_;
  const uint64_t number_;
  bool later_ = false;
  std::string out_;
  resp::ReplyWriter writer_;
};

Connection::Connection(asio::ip::tcp::socket socket, IoThread& thread, ClientInfo info)
    : socket_(std::move(socket)),
      thread_(thread),
      info_(std::move(info)),
      parser_(thread.limits().request) {}

void Connection::Start() {
  ConfigureSocket(socket_.native_handle());
  asio::error_code ignored;
  socket_.non_blocking(true, ignored);
  WaitReadable();
}

const ClientInfo& Connection::info() {
  info_.fd = socket_.native_handle();
  info_.input_bytes = input_.size();
  info_.output_bytes = untaken_bytes();
  return info_;
}

// --- Reading.

void Connection::WaitReadable() {
  if (reading_ || ended_ || closed_) return;
  reading_ = true;
  socket_.async_wait(asio::ip::tcp::socket::wait_read,
                     [self = shared_from_this()](const asio::error_code& error) {
                       self->reading_ = false;
                       if (!error && !self->closed_) self->OnReadable();
                     });
}

void Connection::OnReadable() {
  if (ended_ || !MayRun()) return;  // Turn goes on
  std::string_view data;
  if (!ReadSome(&data)) return;
  read_at_ = thread_.clock().Monotonic();
  TakeInput(data);
  if (!closed_ && MayRun()) WaitReadable();
}

// Into the thread's buffer while no request is half read: so an idle connection needs none.
bool Connection::ReadSome(std::string_view* data) {
  size_t kept = input_.size();
  asio::mutable_buffer space;
  if (kept == 0) {
    space = thread_.scratch();
  } else {
    size_t more = std::clamp(kept, kMinRead, kMaxRead);
    input_.resize(kept + more);
    space = asio::mutable_buffer(input_.data() + kept, more);
  }
  asio::error_code error;
  size_t n = socket_.read_some(space, error);
  if (kept > 0) input_.resize(kept + n);
  *data =
      kept > 0 ? std::string_view(input_) : std::string_view(static_cast<char*>(space.data()), n);
  thread_.stats().NoteReceived(n);
  if (!error || error == asio::error::would_block || error == asio::error::try_again) return true;
  if (error != asio::error::eof) {
    Close(CloseReason::kClient);
    return false;
  }
  // What it sent before is answered: it may have closed only its side.
  eof_ = ended_ = true;
  thread_.MarkDirty(*this);
  return false;
}

// `data` is input_, or the thread's buffer while input_ is empty.
void Connection::TakeInput(std::string_view data) {
  auto before = static_cast<int64_t>(kept_);
  size_t used = RunRequests(data);
  if (closed_) return;
  std::string_view rest = data.substr(used);
  if (rest.empty()) {
    input_ = {};
  } else if (used > 0 || input_.empty()) {
    input_ = std::string(rest);
  }
  kept_ = input_.size();
  thread_.stats().NoteInput(static_cast<int64_t>(kept_) - before);
}

size_t Connection::RunRequests(std::string_view data) {
  size_t used = 0;
  while (!ended_ && !closed_ && used < data.size() && MayRun()) {
    parser_.set_authenticated(info_.authenticated);
    switch (parser_.Parse(data.substr(used))) {
      case resp::RequestParser::Outcome::kNeedMore:
        return used;
      case resp::RequestParser::Outcome::kError:
        FailProtocol(parser_.error());
        return data.size();
      case resp::RequestParser::Outcome::kRequest:
        used += parser_.consumed();
        if (!parser_.args().empty()) Run(parser_.args());
        break;
    }
  }
  return ended_ ? data.size() : used;
}

bool Connection::MayRun() {
  if (replies_.pending() >= thread_.limits().max_pending) return false;
  if (!thread_.router().backlogged()) return true;
  thread_.NoteBlocked(*this);
  return false;
}

void Connection::FailProtocol(const std::string& error) {
  uint64_t number = OpenReply(nullptr);
  ended_ = true;
  end_reason_ = CloseReason::kProtocolError;
  Complete(number, ErrorReply(error));
}

void Connection::EndUnanswered() {
  ended_ = true;
  end_reason_ = CloseReason::kProtocolError;
  thread_.MarkDirty(*this);
}

// --- Running.

void Connection::Run(const resp::Args& args) {
  const redis::Command* command = nullptr;
  absl::Status status = redis::Resolve(args, &command);
  if (!status.ok()) {
    if (IsHttp(args[0])) return EndUnanswered();
    return Refuse(command, std::string_view(status.message().data(), status.message().size()));
  }
  info_.last_command = command->name;
  info_.last_command_at = read_at_;
  if (!info_.authenticated && (command->flags & redis::kNoAuth) == 0) {
    return Refuse(command, "NOAUTH Authentication required.");
  }
  bool local = command->route == redis::Route::kProxy || command->route == redis::Route::kCatalog;
  local ? RunLocal(*command, args) : RunRouted(*command, args);
}

void Connection::Refuse(const redis::Command* command, std::string_view error) {
  uint64_t number = OpenReply(command);
  NextReplyMode();
  Complete(number, ErrorReply(error));
}

uint64_t Connection::OpenReply(const redis::Command* command) {
  return replies_.Open(read_at_, thread_.stats().IndexOf(command),
                       info_.reply_mode != ReplyMode::kOn);
}

void Connection::NextReplyMode() {
  if (info_.reply_mode == ReplyMode::kSkip) {
    info_.reply_mode = ReplyMode::kOn;
  } else if (info_.reply_mode == ReplyMode::kSkipNext) {
    info_.reply_mode = ReplyMode::kSkip;
  }
}

void Connection::RunLocal(const redis::Command& command, const resp::Args& args) {
  LocalHandler handler = thread_.LocalHandlerOf(command);
  if (handler == nullptr) return Refuse(&command, "ERR the proxy does not run this command yet");
  uint64_t number = OpenReply(&command);
  info();  // for commands that describe this connection
  Call call(*this, number, command, args, thread_.context());
  handler(call);
  // CLIENT REPLY counts for its own reply.
  replies_.SetSilent(number, info_.reply_mode != ReplyMode::kOn);
  NextReplyMode();
  if (!call.later()) Complete(number, call.TakeReply());
}

void Connection::RunRouted(const redis::Command& command, const resp::Args& args) {
  uint64_t number = OpenReply(&command);
  NextReplyMode();
  // Not called once the router was told to forget order_.
  thread_.router().Submit(command, args, info_.version, order_, [this, number](std::string reply) {
    Complete(number, std::move(reply));
  });
}

// --- Writing.

void Connection::Complete(uint64_t number, std::string reply) {
  if (closed_) return;
  const ReplyQueue::Slot& slot = replies_.slot(number);
  thread_.stats().Note(slot.command, slot.began, thread_.clock().Monotonic(), reply);
  if (!slot.silent) thread_.stats().NoteOutput(static_cast<int64_t>(reply.size()));
  replies_.Complete(number, std::move(reply),
                    [this](std::string&& out) { output_.Append(std::move(out)); });
  thread_.MarkDirty(*this);
}

void Connection::Turn() {
  if (closed_ || lingering_) return;
  const ConnectionLimits& limits = thread_.limits();
  if (!writing_) Write();
  if (closed_) return;
  bool over = untaken_bytes() > limits.max_output_bytes ||
              (untaken_bytes() > kFairOutput && thread_.output_over_total());
  if (over) return Close(CloseReason::kSlowReader);
  if (Finished()) return Linger();
  if (!input_.empty() && !ended_ && MayRun()) TakeInput(input_);
  if (!closed_ && !ended_ && MayRun()) WaitReadable();
}

bool Connection::Finished() const { return ended_ && replies_.empty() && output_.empty(); }

void Connection::Write() {
  while (!output_.empty()) {
    OutputBuffer::Gather gather;
    output_.Fill(&gather);
    asio::error_code error;
    size_t n = socket_.write_some(gather, error);
    if (error == asio::error::would_block || error == asio::error::try_again) break;
    if (error) return Close(CloseReason::kClient);
    output_.Consume(n);
    thread_.stats().NoteSent(n);
    thread_.stats().NoteOutput(-static_cast<int64_t>(n));
  }
  if (output_.empty()) return;
  writing_ = true;
  socket_.async_wait(asio::ip::tcp::socket::wait_write,
                     [self = shared_from_this()](const asio::error_code& error) {
                       self->writing_ = false;
                       if (!error) self->Turn();
                     });
}

}  // namespace kdb::proxy

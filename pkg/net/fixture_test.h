// What the tests of this folder share: handlers that record, and peers that are plain sockets.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/net/connection.h"
#include "pkg/net/listener.h"
#include "pkg/net/loop.h"

namespace kdb::net {

inline constexpr std::chrono::seconds kDeadline{120};

// What a connection told its handler. Shared by test and handler. Thread-safe.
class Record {
 public:
  ~Record() {
    EXPECT_EQ(closed_, handlers_) << "a handler's last call is OnClosed, once";
    EXPECT_EQ(destroyed_, handlers_);
    EXPECT_FALSE(called_late_);
  }

  absl::Status AddFrame(std::string_view body) {
    MutexLock lock(mu_);
    called_late_ |= closed_ == handlers_;
    frames_.emplace_back(body);
    changed_.NotifyAll();
    return answer_;
  }
  void AddClosed(const absl::Status& why) {
    MutexLock lock(mu_);
    ++closed_;
    why_ = why;
    changed_.NotifyAll();
  }
  void AddHandler() {
    MutexLock lock(mu_);
    ++handlers_;
  }
  void AddDestroyed() {
    MutexLock lock(mu_);
    ++destroyed_;
    changed_.NotifyAll();
  }
  // What OnFrame returns from now on.
  void Answer(absl::Status answer) {
    MutexLock lock(mu_);
    answer_ = std::move(answer);
  }

  // All frames, once there are `count`.
  std::vector<std::string> Frames(size_t count) {
    MutexLock lock(mu_);
    WaitLocked([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return frames_.size() >= count; });
    return frames_;
  }
  // Why it ended, once it has and its handler is gone.
  absl::Status Closed() {
    MutexLock lock(mu_);
    WaitLocked(
        [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return destroyed_ > 0 && destroyed_ == handlers_; });
    return why_;
  }
  void ExpectAllClosed() {
    MutexLock lock(mu_);
    EXPECT_EQ(closed_, handlers_);
    EXPECT_EQ(destroyed_, handlers_);
  }
  int destroyed() {
    MutexLock lock(mu_);
    return destroyed_;
  }

 private:
  void WaitLocked(const std::function<bool()>& done) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (!done()) {
      if (!changed_.WaitUntil(mu_, deadline) && !done()) FAIL() << "it does not happen";
    }
  }

  Mutex mu_;
  CondVar changed_;
  std::vector<std::string> frames_ ABSL_GUARDED_BY(mu_);
  absl::Status answer_ ABSL_GUARDED_BY(mu_);
  absl::Status why_ ABSL_GUARDED_BY(mu_);
  int handlers_ = 0;
  int closed_ = 0;
  int destroyed_ = 0;
  bool called_late_ = false;
};

class Recorder : public Handler {
 public:
  explicit Recorder(std::shared_ptr<Record> record) : record_(std::move(record)) {
    record_->AddHandler();
  }
  ~Recorder() override { record_->AddDestroyed(); }
  absl::Status OnFrame(std::string_view body) override { return record_->AddFrame(body); }
  void OnClosed(const absl::Status& why) override { record_->AddClosed(why); }

 private:
  const std::shared_ptr<Record> record_;
};

inline std::unique_ptr<Handler> Recording(const std::shared_ptr<Record>& record) {
  return std::make_unique<Recorder>(record);
}

// A blocking socket on loopback.
class RawSocket {
 public:
  RawSocket() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    timeval limit{.tv_sec = kDeadline.count(), .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  explicit RawSocket(int fd) : fd_(fd) {}
  RawSocket(RawSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RawSocket& operator=(RawSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~RawSocket() { Close(); }

  void Connect(int port) {
    sockaddr_in to = Loopback(port);
    ASSERT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0) << errno;
  }
  // A port to connect to.
  int Listen() {
    sockaddr_in any = Loopback(0);
    socklen_t size = sizeof(any);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&any), size), 0);
    EXPECT_EQ(::listen(fd_, 16), 0);
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&any), &size), 0);
    return ntohs(any.sin_port);
  }
  RawSocket Accept() { return RawSocket(::accept(fd_, nullptr, nullptr)); }

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ASSERT_GT(n, 0) << errno;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  // `count` bytes, or as many as there are until the peer's end or a reset.
  std::string Read(size_t count = SIZE_MAX) {
    std::string got;
    std::vector<char> buffer(1 << 20);
    while (got.size() < count) {
      ssize_t n = ::recv(fd_, buffer.data(), std::min(buffer.size(), count - got.size()), 0);
      EXPECT_TRUE(n >= 0 || errno == ECONNRESET) << errno;
      if (n <= 0) break;
      got.append(buffer.data(), static_cast<size_t>(n));
    }
    return got;
  }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void Reset() {
    linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    Close();
  }
  int fd() const { return fd_; }

 private:
  static sockaddr_in Loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  int fd_;
};

inline std::string OnLoopback(int port) { return "127.0.0.1:" + std::to_string(port); }

inline std::string PrefaceOf(Service service) {
  auto bytes = Preface::Encode(service);
  return {bytes.data(), bytes.size()};
}

// The frames in `bytes`, which ends with the last one.
struct Parsed {
  std::vector<std::string> bodies;
  absl::Status error;  // of the error frame, if there is one
};
inline Parsed Parse(std::string_view bytes) {
  Parsed parsed;
  while (bytes.size() >= FrameHeader::kBytes) {
    FrameHeader header = FrameHeader::Decode(bytes);
    std::string_view frame = bytes.substr(0, FrameHeader::kBytes + header.body_bytes);
    EXPECT_EQ(FrameChecksum(frame), header.crc);
    std::string_view body = frame.substr(FrameHeader::kBytes);
    if (header.error) {
      parsed.error = DecodeError(body);
    } else {
      parsed.bodies.emplace_back(body);
    }
    bytes.remove_prefix(frame.size());
  }
  EXPECT_TRUE(bytes.empty());
  return parsed;
}

// Turns `loop` until `done`.
inline void Await(Loop& loop, const std::function<bool()>& done) {
  auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (!done()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "it does not happen";
    loop.RunAndWait([] {});
  }
}

inline size_t OpenDescriptors() {
  auto all = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

// A listener for raft connections, and what its newest handlers saw.
class Served {
 public:
  explicit Served(Loop& loop, Listener::Options options = {}) {
    options.address = "127.0.0.1:0";
    options.services[Service::kRaft] = [this](std::shared_ptr<Connection> connection) {
      MutexLock lock(mu_);
      connection_ = std::move(connection);
      accepted_.NotifyAll();
      return Recording(record_);
    };
    absl::StatusOr<std::unique_ptr<Listener>> listener = Listener::Start(loop, std::move(options));
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  int port() const { return listener_->port(); }
  Record& record() { return *record_; }
  // The next connection that came.
  std::shared_ptr<Connection> Accepted() {
    MutexLock lock(mu_);
    while (connection_ == nullptr) accepted_.Wait(mu_);
    return std::exchange(connection_, nullptr);
  }
  void Stop() { listener_.reset(); }

 private:
  const std::shared_ptr<Record> record_ = std::make_shared<Record>();
  Mutex mu_;
  CondVar accepted_;
  std::shared_ptr<Connection> connection_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<Listener> listener_;
};

}  // namespace kdb::net

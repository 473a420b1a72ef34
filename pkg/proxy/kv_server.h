// The KV API's listener and its connections, spread over the I/O threads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "pkg/proxy/acceptor.h"
#include "pkg/proxy/io_thread.h"

namespace kdb::proxy {

// Created and destroyed while the threads do not run.
class KvServer {
 public:
  // They outlive the server.
  KvServer(const std::vector<IoThread*>& threads, IoShared& shared, size_t max_value_bytes,
           size_t max_output_bytes);
  ~KvServer();

  // As Acceptor's.
  absl::Status Listen(const std::string& address) { return acceptor_.Listen(address); }
  int port() const { return acceptor_.port(); }

  // --- From any thread.

  void Start() { acceptor_.Start(); }
  // Accepts no more, answers the calls that come until the clients know, closes. The I/O threads
  // are not drained before.
  void Drain();
  // Closes what there is. It is done when the threads have stopped.
  void Stop();

 private:
  class Share;  // one thread's part

  std::vector<std::unique_ptr<Share>> shares_;
  Acceptor acceptor_;
};

}  // namespace kdb::proxy

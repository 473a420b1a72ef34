// What a session serves: unary gRPC methods.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace kdb::http2 {

using Metadata = std::vector<std::pair<std::string, std::string>>;

// A unary call whose request is whole. Everything on the thread of its session.
class Call {
 public:
  virtual ~Call() = default;

  virtual std::string_view path() const = 0;  // "/package.Service/Method"
  // Of the names that the session was told to keep; a name may come more than once.
  virtual const Metadata& metadata() const = 0;
  // The message, encoded. Only during Service::Start.
  virtual std::string_view request() const = 0;
  // The answer, once, during Start or later: an encoded message, or an error (whose codes are
  // gRPC's). Destroys nothing before it returns.
  virtual void Finish(absl::Status status, std::string response) = 0;
};

// What a service keeps for a call. Destroyed when the call is over: answered, or given up by its
// client, its deadline, or the end of the connection. The call must not be used after that.
class PendingCall {
 public:
  virtual ~PendingCall() = default;
};

class Service {
 public:
  virtual ~Service() = default;
  virtual bool Has(std::string_view path) const = 0;
  // `path` is one that it has. Null: nothing is kept, and the call is finished.
  virtual std::unique_ptr<PendingCall> Start(Call& call) = 0;
};

}  // namespace kdb::http2

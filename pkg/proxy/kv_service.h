// The KV API (proto/kv.proto) over the proxy's routers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/proxy/io_thread.h"
#include "pkg/proxy/password_file.h"
#include "proto/kv.grpc.pb.h"

namespace kdb::proxy {

// The gRPC status that an error reply ("-CODE text") means; proto/kv.proto lists them.
grpc::Status StatusOfError(std::string_view reply);

// Thread-safe. With passwords, a call carries one in its metadata "kdb-password".
class KvService final : public kv::v1::KV::CallbackService {
 public:
  KvService(std::vector<IoThread*> threads, const Passwords& passwords, size_t max_value_bytes);

  // Refuses all further calls; afterwards the threads may end, which ends the calls under way.
  void Close();

  grpc::ServerUnaryReactor* Put(grpc::CallbackServerContext* context,
                                const kv::v1::PutRequest* request,
                                kv::v1::PutResponse* response) override;
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context,
                                const kv::v1::GetRequest* request,
                                kv::v1::GetResponse* response) override;
  grpc::ServerUnaryReactor* Delete(grpc::CallbackServerContext* context,
                                   const kv::v1::DeleteRequest* request,
                                   kv::v1::DeleteResponse* response) override;
  grpc::ServerUnaryReactor* Scan(grpc::CallbackServerContext* context,
                                 const kv::v1::ScanRequest* request,
                                 kv::v1::ScanResponse* response) override;

 private:
  class Call;

  grpc::Status Check(const grpc::CallbackServerContext& context) const;
  grpc::Status CheckKey(const std::string& key) const;
  // Runs a command on one of the threads; `answer` fills the response from a reply that is no
  // error.
  template <typename Answer>
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, grpc::Status checked,
                                std::vector<std::string> args, Answer answer);
  // Runs `task(thread)` on one of the threads; drops it when closed.
  template <typename Task>
  void Post(Task task);

  const Passwords& passwords_;
  const size_t max_value_bytes_;

  Mutex mu_;
  std::vector<IoThread*> threads_ ABSL_GUARDED_BY(mu_);  // none: closed
  size_t next_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace kdb::proxy

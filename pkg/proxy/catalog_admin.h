// The catalog as commands use it: asynchronous calls to meta.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/executor.h"
#include "pkg/rpc/meta_client.h"
#include "proto/meta.pb.h"

namespace kdb::proxy {

// Thread-safe. `done` is called once, on any thread, or dropped when the object is destroyed.
class CatalogAdmin {
 public:
  using Done = absl::AnyInvocable<void(absl::Status)>;
  using QueryDone = absl::AnyInvocable<void(absl::StatusOr<metapb::QueryReply>)>;

  virtual ~CatalogAdmin() = default;
  // Soon, or not at all: UNAVAILABLE or DEADLINE_EXCEEDED while meta does not answer.
  virtual void Query(QueryDone done) = 0;
  // When the group has a leader.
  virtual void Join(uint64_t gid, std::vector<std::string> addresses, Done done) = 0;
  virtual void Leave(uint64_t gid, Done done) = 0;
  // When the new owner serves the slots.
  virtual void Move(uint64_t gid, std::vector<uint32_t> slots, Done done) = 0;
  // Where the catalog says that meta's servers are, beside those that were configured.
  virtual void Learn(const std::vector<std::string>&) {}
};

// Over gRPC; without seeds every call is UNAVAILABLE. Calls wait for one another: there are few.
std::unique_ptr<CatalogAdmin> NewMetaCatalogAdmin(std::vector<std::string> meta_seeds,
                                                  Random random);

}  // namespace kdb::proxy

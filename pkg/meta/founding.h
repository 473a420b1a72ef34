// How a meta server's directory is born: by the one Bootstrap call, or by a certificate that
// another server decided (design 3). A certificate is decided when it is durable in the directory
// of the first server that Bootstrap names, before anybody hears of it; a repeated call goes on
// with it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/mutex.h"
#include "pkg/base/random.h"
#include "pkg/meta/state_hub.h"
#include "pkg/raftnode/data_directory.h"
#include "pkg/rpc/admin_client.h"

namespace kdb::meta {

// Thread-safe; calls block.
class Founding {
 public:
  // `on_born`: once, right after the certificate is durable; its error is the caller's, and fatal
  // to the server. `directory` and `admin` outlive it.
  Founding(raftnode::DataDirectory& directory, rpc::AdminClient& admin, Random random,
           raftnode::DataDirectory::Start on_born);

  // Admin.AcceptBirth. FAILED_PRECONDITION: the directory was born elsewhere, or is not named; says
  // which.
  absl::Status Accept(const catalog::BirthCertificate& certificate);

  // Meta.Bootstrap: the cluster's id once a majority of `addresses` holds the certificate.
  // UNAVAILABLE: servers did not answer; repeat the call. FAILED_PRECONDITION: a directory was born
  // elsewhere.
  absl::StatusOr<std::string> Bootstrap(const std::vector<std::string>& addresses,
                                        SteadyTime deadline);

 private:
  // Identities of the servers that a first call names: each must answer and be passive.
  absl::StatusOr<catalog::BirthCertificate> Propose(const std::vector<std::string>& addresses);
  absl::Status CheckSameServers(const catalog::BirthCertificate& birth,
                                const std::vector<std::string>& addresses) const;
  absl::StatusOr<std::string> Deliver(const catalog::BirthCertificate& birth);
  absl::StatusOr<std::string> Forward(const std::vector<std::string>& addresses,
                                      SteadyTime deadline);
  // The certificate of this directory: `proposal` unless it has one already.
  absl::StatusOr<catalog::BirthCertificate> Decide(const catalog::BirthCertificate& proposal);

  raftnode::DataDirectory& directory_;
  rpc::AdminClient& admin_;
  const raftnode::DataDirectory::Start on_born_;

  Mutex mu_;
  Random random_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::meta

#include "pkg/meta/founding.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "pkg/base/status.h"
#include "pkg/meta/catalog_rules.h"
#include "pkg/rpc/channel.h"
#include "proto/meta.grpc.pb.h"

namespace kdb::meta {
namespace {

constexpr std::chrono::milliseconds kCallTimeout{2000};
constexpr size_t kMaxServers = 9;

absl::Status CheckAddresses(const std::vector<std::string>& addresses) {
  if (addresses.empty() || addresses.size() > kMaxServers) {
    return absl::InvalidArgumentError(
        fmt::format("a meta group has 1 to {} servers, not {}", kMaxServers, addresses.size()));
  }
  std::set<std::string> seen;
  for (const std::string& address : addresses) {
    if (!seen.insert(address).second) {
      return absl::InvalidArgumentError(fmt::format("meta server {} is named twice", address));
    }
  }
  return absl::OkStatus();
}

}  // namespace

Founding::Founding(raftnode::DataDirectory& directory, rpc::AdminClient& admin, Random random,
                   raftnode::DataDirectory::Start on_born)
    : directory_(directory), admin_(admin), on_born_(std::move(on_born)), random_(random) {}

absl::Status Founding::Accept(const catalog::BirthCertificate& certificate) {
  return directory_.AcceptBirth(certificate, on_born_);
}

absl::StatusOr<catalog::BirthCertificate> Founding::Decide(
    const catalog::BirthCertificate& proposal) {
  absl::Status accepted = directory_.AcceptBirth(proposal, on_born_);
  raftnode::Identity self = directory_.identity();
  // Another one may have come first, and then it counts.
  bool superseded = self.birth && self.birth->SerializeAsString() != proposal.SerializeAsString();
  if (!superseded) KDB_RETURN_IF_ERROR(accepted);
  return *self.birth;
}

absl::StatusOr<std::string> Founding::Bootstrap(const std::vector<std::string>& addresses,
                                                SteadyTime deadline) {
  KDB_RETURN_IF_ERROR(CheckAddresses(addresses));
  raftnode::Identity self = directory_.identity();
  if (!self.birth) {
    auto first = admin_.Identify({addresses[0]}, kCallTimeout);
    KDB_RETURN_IF_ERROR(first[0].status());
    if (first[0]->uuid() != self.uuid) return Forward(addresses, deadline);
    KDB_ASSIGN_OR_RETURN(catalog::BirthCertificate proposal, Propose(addresses));
    KDB_RETURN_IF_ERROR(Decide(proposal).status());
    self = directory_.identity();
  }
  KDB_RETURN_IF_ERROR(CheckSameServers(*self.birth, addresses));
  return Deliver(*self.birth);
}

absl::StatusOr<std::string> Founding::Forward(const std::vector<std::string>& addresses,
                                              SteadyTime deadline) {
  auto stub = metapb::Meta::NewStub(rpc::NewChannel(addresses[0], "bootstrap"));
  grpc::ClientContext context;
  auto left = std::max(deadline - std::chrono::steady_clock::now(), SteadyTime::duration::zero());
  context.set_deadline(std::chrono::system_clock::now() + left);
  metapb::BootstrapRequest request;
  request.mutable_addresses()->Assign(addresses.begin(), addresses.end());
  metapb::BootstrapReply reply;
  KDB_RETURN_IF_ERROR(rpc::FromGrpc(stub->Bootstrap(&context, request, &reply)));
  return reply.cluster_id();
}

absl::StatusOr<catalog::BirthCertificate> Founding::Propose(
    const std::vector<std::string>& addresses) {
  catalog::BirthCertificate birth;
  {
    MutexLock lock(mu_);
    birth.set_cluster_id(raftnode::NewUuid(random_));
    birth.add_hash_seed(random_.Next());
    birth.add_hash_seed(random_.Next());
  }
  std::set<std::string> uuids;
  auto replies = admin_.Identify(addresses, kCallTimeout);
  for (size_t i = 0; i < addresses.size(); ++i) {
    KDB_RETURN_IF_ERROR(replies[i].status());
    if (!replies[i]->cluster_id().empty()) {
      return absl::FailedPreconditionError(fmt::format(
          "the directory of server {} belongs to group {} of cluster {} for life: it needs an "
          "empty one",
          addresses[i], replies[i]->gid(), replies[i]->cluster_id()));
    }
    if (!uuids.insert(replies[i]->uuid()).second) {
      return absl::InvalidArgumentError(
          fmt::format("{} is a second address of a server that is named already", addresses[i]));
    }
    catalog::Member* member = birth.add_members();
    member->set_id(i + 1);
    member->set_uuid(replies[i]->uuid());
    member->set_address(addresses[i]);
  }
  return birth;
}

absl::Status Founding::CheckSameServers(const catalog::BirthCertificate& birth,
                                        const std::vector<std::string>& addresses) const {
  std::vector<std::string> members;
  for (const catalog::Member& member : birth.members()) {
    if (member.role() == catalog::Member::VOTER) members.push_back(member.address());
  }
  if (std::set<std::string>(members.begin(), members.end()) ==
      std::set<std::string>(addresses.begin(), addresses.end())) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      fmt::format("this server was bootstrapped already: cluster {} with meta servers {}",
                  birth.cluster_id(), fmt::join(members, ",")));
}

absl::StatusOr<std::string> Founding::Deliver(const catalog::BirthCertificate& birth) {
  const raftnode::Identity self = directory_.identity();
  // A later member's group lived before it came.
  if (self.self()->role() == catalog::Member::LEARNER) return birth.cluster_id();
  std::vector<std::string> others;
  for (const catalog::Member& member : birth.members()) {
    if (member.uuid() != self.uuid) others.push_back(member.address());
  }
  size_t have = 1;
  // Also one that has taken a founder's place has a certificate, its own.
  auto identities = admin_.Identify(others, kCallTimeout);
  for (size_t i = others.size(); i-- > 0;) {
    if (!identities[i].ok() || identities[i]->cluster_id() != birth.cluster_id() ||
        identities[i]->gid() != birth.gid()) {
      continue;
    }
    others.erase(others.begin() + static_cast<ptrdiff_t>(i));
    ++have;
  }
  auto replies = admin_.AcceptBirth(others, birth, kCallTimeout);
  absl::Status first;
  for (const auto& reply : replies) {
    have += reply.ok();
    first.Update(reply.status());
  }
  if (2 * have > static_cast<size_t>(birth.members_size())) return birth.cluster_id();
  return absl::Status(first.code(),
                      fmt::format("only {} of {} meta servers have the birth certificate: {}", have,
                                  birth.members_size(), std::string(first.message())));
}

}  // namespace kdb::meta

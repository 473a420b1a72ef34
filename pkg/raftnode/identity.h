// Who a data directory is (design 3): the kind of server that it belongs to and a UUID, from its
// first start on, and at most one birth certificate, for life. Both are small files written
// durably; a directory without a certificate is passive: it neither votes nor campaigns. FORMAT.md
// has the bytes and the crash states.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "pkg/base/random.h"
#include "pkg/env/file_system.h"
#include "proto/catalog.pb.h"

namespace kdb::raftnode {

enum class ServerKind { kKv, kMeta };

// "kdb-kv".
std::string_view ProgramOf(ServerKind kind);

struct Identity {
  ServerKind kind = ServerKind::kKv;
  std::string uuid;
  std::optional<catalog::BirthCertificate> birth;

  // This directory's member in the certificate; nullopt while passive.
  std::optional<catalog::Member> self() const;
};

// Reads the identity of `dir`, making one of this kind if it has none. FAILED_PRECONDITION: it
// belongs to the other kind of server, and nothing was changed. DATA_LOSS on a damaged or missing
// file.
absl::StatusOr<Identity> LoadIdentity(FileSystem& fs, const std::string& dir, ServerKind kind,
                                      Random& random);

// Accepts a certificate durably. OK when it is the one accepted before; of a later member, which it
// names as a learner, also when it names the same one at another address. FAILED_PRECONDITION when
// it does not name this UUID, is not for this kind of server, or the directory belongs to another
// cluster or group: the message says which.
absl::Status AcceptBirth(FileSystem& fs, const std::string& dir,
                         const catalog::BirthCertificate& certificate, Identity* identity);

// Whether this directory's member has had a raft log. Then one that is not there is lost, with
// votes and acknowledged entries: it must not be made anew. DATA_LOSS on a damaged file.
absl::StatusOr<bool> LogWasCreated(FileSystem& fs, const std::string& dir);
// Says so durably: after the log was created, before the member may vote or acknowledge.
absl::Status NoteLogCreated(FileSystem& fs, const std::string& dir);

// A random UUID (RFC 4122 version 4) in its text form.
std::string NewUuid(Random& random);

}  // namespace kdb::raftnode

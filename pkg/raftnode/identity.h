// Who a data directory is (design 3): a UUID made at first start, and at most one birth
// certificate, for life. Both are small files written durably; a directory without a certificate is
// passive: it neither votes nor campaigns. FORMAT.md has the bytes and the crash states.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "pkg/base/random.h"
#include "pkg/env/file_system.h"
#include "proto/catalog.pb.h"

namespace kdb::raftnode {

struct Identity {
  std::string uuid;
  std::optional<catalog::BirthCertificate> birth;

  // This directory's member in the certificate; nullopt while passive.
  std::optional<catalog::Member> self() const;
};

// Reads the identity of `dir`, making a UUID if it has none. DATA_LOSS on a damaged or missing
// file.
absl::StatusOr<Identity> LoadIdentity(FileSystem& fs, const std::string& dir, Random& random);

// Accepts a certificate durably. OK when it is the one accepted before. FAILED_PRECONDITION when it
// does not name this UUID, or the directory belongs to another cluster or group: the message says
// which.
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

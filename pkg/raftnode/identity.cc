#include "pkg/raftnode/identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "pkg/base/status.h"
#include "pkg/env/sealed_file.h"

namespace kdb::raftnode {
namespace {

// FORMAT.md.
constexpr std::string_view kIdentityFile = "identity";
constexpr std::string_view kBirthFile = "birth";
constexpr std::string_view kLogCreatedFile = "log_created";
constexpr uint8_t kVersion = 2;
constexpr size_t kUuidBytes = 36;

absl::Status Damaged(const std::string& path, std::string_view what) {
  return absl::DataLossError(
      fmt::format("{}: {}. Restore the file from a backup of this directory, or start on an empty "
                  "directory and replace this member by that new one: kdbctl member replace",
                  path, what));
}

// NOT_FOUND when there is no such file.
absl::StatusOr<std::string> Read(FileSystem& fs, const std::string& path) {
  absl::StatusOr<std::string> body = ReadSealed(fs, path, kVersion);
  if (absl::IsDataLoss(body.status())) return Damaged(path, std::string(body.status().message()));
  return body;
}

bool IsUuid(std::string_view text) {
  if (text.size() != kUuidBytes) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    if (dash ? text[i] != '-' : !hex) return false;
  }
  return true;
}

const catalog::Member* FindMember(const catalog::BirthCertificate& birth, std::string_view uuid) {
  for (const catalog::Member& m : birth.members()) {
    if (m.uuid() == uuid) return &m;
  }
  return nullptr;
}

// The certificate of a later member says where it and others are at the time, and it is told again
// until its answer arrives.
bool SameBirth(const catalog::BirthCertificate& held, const catalog::BirthCertificate& told,
               std::string_view uuid) {
  if (held.SerializeAsString() == told.SerializeAsString()) return true;
  const catalog::Member* self = FindMember(held, uuid);
  const catalog::Member* again = FindMember(told, uuid);
  return self != nullptr && again != nullptr && self->id() == again->id() &&
         self->role() == catalog::Member::LEARNER && again->role() == catalog::Member::LEARNER &&
         held.cluster_id() == told.cluster_id() && held.gid() == told.gid();
}

absl::StatusOr<std::optional<catalog::BirthCertificate>> LoadBirth(FileSystem& fs,
                                                                   const std::string& path,
                                                                   std::string_view uuid) {
  absl::StatusOr<std::string> body = Read(fs, path);
  if (absl::IsNotFound(body.status())) return std::nullopt;
  KDB_RETURN_IF_ERROR(body.status());
  catalog::BirthCertificate birth;
  if (!birth.ParseFromString(*body)) return Damaged(path, "it is not a birth certificate");
  if (FindMember(birth, uuid) == nullptr)
    return Damaged(path, fmt::format("it does not name this directory's UUID {}", uuid));
  return birth;
}

// The body of the identity file.
std::string ToBody(const Identity& identity) {
  return identity.uuid + std::string(ProgramOf(identity.kind));
}

std::optional<Identity> FromBody(std::string_view body) {
  std::string_view uuid = body.substr(0, kUuidBytes);
  if (!IsUuid(uuid)) return std::nullopt;
  for (ServerKind kind : {ServerKind::kKv, ServerKind::kMeta}) {
    if (body.substr(kUuidBytes) == ProgramOf(kind)) {
      return Identity{.kind = kind, .uuid = std::string(uuid), .birth = std::nullopt};
    }
  }
  return std::nullopt;
}

std::string Join(const std::string& dir, std::string_view name) {
  return fmt::format("{}/{}", dir, name);
}

// What came later in the directory's life than the file at `path`, which is not there: somebody
// took it away.
absl::Status CheckNothingLater(FileSystem& fs, const std::string& dir, const std::string& path,
                               std::initializer_list<std::string_view> later) {
  for (std::string_view name : later) {
    KDB_ASSIGN_OR_RETURN(bool exists, fs.Exists(Join(dir, name)));
    if (exists)
      return Damaged(path, fmt::format("it is missing, although {} exists", Join(dir, name)));
  }
  return absl::OkStatus();
}

}  // namespace

std::string_view ProgramOf(ServerKind kind) {
  return kind == ServerKind::kKv ? "kdb-kv" : "kdb-meta";
}

std::optional<catalog::Member> Identity::self() const {
  if (!birth) return std::nullopt;
  const catalog::Member* member = FindMember(*birth, uuid);
  if (member == nullptr) return std::nullopt;
  return *member;
}

std::string NewUuid(Random& random) {
  uint64_t hi = random.Next();
  uint64_t lo = random.Next();
  hi = (hi & ~uint64_t{0xf000}) | 0x4000;                  // version 4
  lo = (lo & ~(uint64_t{3} << 62)) | (uint64_t{2} << 62);  // variant 1
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", hi >> 32, (hi >> 16) & 0xffff,
                     hi & 0xffff, lo >> 48, lo & 0xffffffffffff);
}

absl::StatusOr<Identity> LoadIdentity(FileSystem& fs, const std::string& dir, ServerKind kind,
                                      Random& random) {
  std::string path = Join(dir, kIdentityFile);
  std::string birth_path = Join(dir, kBirthFile);
  absl::StatusOr<std::string> body = Read(fs, path);
  if (absl::IsNotFound(body.status())) {
    KDB_RETURN_IF_ERROR(CheckNothingLater(fs, dir, path, {kBirthFile, kLogCreatedFile}));
    Identity made{.kind = kind, .uuid = NewUuid(random), .birth = std::nullopt};
    KDB_RETURN_IF_ERROR(WriteSealed(fs, path, kVersion, ToBody(made)));
    return made;
  }
  KDB_RETURN_IF_ERROR(body.status());
  std::optional<Identity> identity = FromBody(*body);
  if (!identity) return Damaged(path, "it is not a UUID and a kind of server");
  if (identity->kind != kind) {
    return absl::FailedPreconditionError(
        fmt::format("directory {} (UUID {}) belongs to a {}, this is {}: start each on its own "
                    "directory; nothing was changed",
                    dir, identity->uuid, ProgramOf(identity->kind), ProgramOf(kind)));
  }
  KDB_ASSIGN_OR_RETURN(identity->birth, LoadBirth(fs, birth_path, identity->uuid));
  if (!identity->birth) {
    KDB_RETURN_IF_ERROR(CheckNothingLater(fs, dir, birth_path, {kLogCreatedFile}));
  }
  return *identity;
}

absl::Status AcceptBirth(FileSystem& fs, const std::string& dir,
                         const catalog::BirthCertificate& certificate, Identity* identity) {
  if (identity->birth) {
    const catalog::BirthCertificate& held = *identity->birth;
    if (SameBirth(held, certificate, identity->uuid)) return absl::OkStatus();
    return absl::FailedPreconditionError(
        fmt::format("directory {} (UUID {}) belongs to cluster {}, group {} for life: it cannot "
                    "accept a certificate of "
                    "cluster {}, group {}",
                    dir, identity->uuid, held.cluster_id(), held.gid(), certificate.cluster_id(),
                    certificate.gid()));
  }
  const ServerKind wanted = certificate.gid() == 0 ? ServerKind::kMeta : ServerKind::kKv;
  if (identity->kind != wanted) {
    return absl::FailedPreconditionError(
        fmt::format("directory {} (UUID {}) belongs to a {}: it cannot accept a certificate of "
                    "cluster {} for a {}",
                    dir, identity->uuid, ProgramOf(identity->kind), certificate.cluster_id(),
                    ProgramOf(wanted)));
  }
  if (FindMember(certificate, identity->uuid) == nullptr) {
    return absl::FailedPreconditionError(fmt::format(
        "the certificate of cluster {}, group {} does not name the UUID {} of directory {}",
        certificate.cluster_id(), certificate.gid(), identity->uuid, dir));
  }
  KDB_RETURN_IF_ERROR(
      WriteSealed(fs, Join(dir, kBirthFile), kVersion, certificate.SerializeAsString()));
  identity->birth = certificate;
  return absl::OkStatus();
}

absl::StatusOr<bool> LogWasCreated(FileSystem& fs, const std::string& dir) {
  absl::Status status = Read(fs, Join(dir, kLogCreatedFile)).status();
  if (absl::IsNotFound(status)) return false;
  KDB_RETURN_IF_ERROR(status);
  return true;
}

absl::Status NoteLogCreated(FileSystem& fs, const std::string& dir) {
  return WriteSealed(fs, Join(dir, kLogCreatedFile), kVersion, {});
}

}  // namespace kdb::raftnode

#include "pkg/raftnode/data_directory.h"

#include <fmt/format.h>

#include <future>
#include <utility>

#include "pkg/base/damage.h"
#include "pkg/base/status.h"
#include "pkg/raftnode/quarantine.h"

namespace kdb::raftnode {

absl::StatusOr<std::unique_ptr<DataDirectory>> DataDirectory::Open(FileSystem& fs, std::string path,
                                                                   ServerKind kind,
                                                                   Random& random) {
  std::unique_ptr<DataDirectory> directory(new DataDirectory(fs, std::move(path)));
  KDB_RETURN_IF_ERROR(CreateDirs(fs, directory->path_));
  KDB_ASSIGN_OR_RETURN(directory->lock_, fs.Lock(directory->path_ + "/LOCK"));
  KDB_RETURN_IF_ERROR(CheckNotQuarantined(fs, directory->path_));
  KDB_ASSIGN_OR_RETURN(Identity identity, LoadIdentity(fs, directory->path_, kind, random));
  MutexLock lock(directory->mu_);
  directory->identity_ = std::move(identity);
  return directory;
}

Identity DataDirectory::identity() const {
  MutexLock lock(mu_);
  return identity_;
}

absl::Status DataDirectory::OnStrand(absl::AnyInvocable<absl::Status()> task) {
  std::promise<absl::Status> promise;
  strand_->Post([&] {
    promise.set_value(closed_ ? absl::UnavailableError("the server is stopping") : task());
  });
  return promise.get_future().get();
}

void DataDirectory::RestartLater(std::function<void(const Identity&)> restart) {
  strand_->Post([this, restart = std::move(restart)] {
    if (!closed_) restart(identity());
  });
}

void DataDirectory::Close() {
  OnStrand([this] {
    closed_ = true;
    return absl::OkStatus();
  }).IgnoreError();
}

absl::Status DataDirectory::StartIfBorn(const Start& start) {
  return OnStrand(
      [&] { return identity().birth.has_value() ? StartNow(start) : absl::OkStatus(); });
}

absl::Status DataDirectory::AcceptBirth(const catalog::BirthCertificate& certificate,
                                        const Start& start) {
  return OnStrand([&]() -> absl::Status {
    KDB_RETURN_IF_ERROR(AcceptNow(certificate));
    return StartNow(start);
  });
}

absl::Status DataDirectory::AcceptNow(const catalog::BirthCertificate& certificate) {
  Identity identity = this->identity();
  KDB_RETURN_IF_ERROR(raftnode::AcceptBirth(fs_, path_, certificate, &identity));
  MutexLock lock(mu_);
  identity_ = std::move(identity);
  return absl::OkStatus();
}

absl::Status DataDirectory::StartNow(const Start& start) {
  if (started_) return absl::OkStatus();
  if (absl::Status status = start(identity()); !status.ok()) return NoteFatal(status);
  started_ = true;
  return absl::OkStatus();
}

absl::Status DataDirectory::NoteFatal(const absl::Status& why) {
  if (!IsDamage(why)) return why;
  absl::Status noted = Quarantine(fs_, path_, why);
  return WithContext(noted.ok()
                         ? fmt::format("{} is in quarantine from now on, let a new member take its "
                                       "place (kdbctl member replace)",
                                       path_)
                         : fmt::format("{} could not be put in quarantine ({}), do not start on it",
                                       path_, std::string(noted.message())),
                     why);
}

}  // namespace kdb::raftnode

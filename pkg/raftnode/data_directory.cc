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
  KDB_ASSIGN_OR_RETURN(Identity identity, LoadIdentity(fs, directory->path_, kind, random));
  absl::Status quarantined = CheckNotQuarantined(fs, directory->path_);
  MutexLock lock(directory->mu_);
  directory->identity_ = std::move(identity);
  directory->quarantined_ = std::move(quarantined);
  return directory;
}

Identity DataDirectory::identity() const {
  MutexLock lock(mu_);
  return identity_;
}

absl::Status DataDirectory::Quarantined() const {
  MutexLock lock(mu_);
  return quarantined_;
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
    KDB_RETURN_IF_ERROR(Quarantined());
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
  KDB_RETURN_IF_ERROR(Quarantined());
  absl::Status status = start(identity());
  if (IsDamage(status)) return EnterQuarantine(status);
  KDB_RETURN_IF_ERROR(status);
  started_ = true;
  return absl::OkStatus();
}

void DataDirectory::Fail(const absl::Status& why, std::function<void()> stop,
                         std::function<void(const absl::Status&)> end) {
  if (!IsDamage(why)) return end(why);
  strand_->Post([this, why, stop = std::move(stop), end = std::move(end)] {
    absl::Status entered = EnterQuarantine(why);
    if (Quarantined().ok()) return end(entered);
    if (!closed_) stop();
  });
}

absl::Status DataDirectory::EnterQuarantine(const absl::Status& damage) {
  if (absl::Status noted = Quarantine(fs_, path_, damage); !noted.ok()) {
    return WithContext(fmt::format("{} could not be put in quarantine ({}), do not start on it",
                                   path_, std::string(noted.message())),
                       damage);
  }
  absl::Status quarantined = CheckNotQuarantined(fs_, path_);
  MutexLock lock(mu_);
  quarantined_ = quarantined;
  return quarantined;
}

}  // namespace kdb::raftnode

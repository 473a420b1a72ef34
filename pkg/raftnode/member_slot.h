// The member that a server runs, for those who use it while it may be stopped.
#pragma once

#include <memory>
#include <utility>

#include "pkg/base/mutex.h"

namespace kdb::raftnode {

// Thread-safe; outlives all uses.
template <typename Member>
class MemberSlot {
 public:
  // nullptr: none runs. It is not stopped before the pointer is gone: calls are short.
  std::shared_ptr<Member> Use() const {
    MutexLock lock(mu_);
    if (member_ == nullptr) return nullptr;
    ++uses_;
    return std::shared_ptr<Member>(member_.get(), [this](Member*) {
      MutexLock lock(mu_);
      if (--uses_ == 0) unused_.NotifyAll();
    });
  }
  void Set(std::unique_ptr<Member> member) {
    MutexLock lock(mu_);
    member_ = std::move(member);
  }
  // Nobody uses it any more, and nobody will. nullptr: none ran.
  std::unique_ptr<Member> Take() {
    MutexLock lock(mu_);
    std::unique_ptr<Member> member = std::move(member_);
    while (uses_ > 0) unused_.Wait(mu_);
    return member;
  }

 private:
  mutable Mutex mu_;
  mutable CondVar unused_;
  std::unique_ptr<Member> member_ ABSL_GUARDED_BY(mu_);
  mutable int uses_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace kdb::raftnode

// Knows when flushes end. After one Resume, RocksDB 7.8's Flush returns before the flush is done,
// for as long as the database is open (seen in rocks_engine_test), so the engine waits by itself.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/listener.h>

#include <cstdint>

#include "pkg/base/mutex.h"

namespace kdb::rocks {

// Thread-safe.
class FlushTracker final : public rocksdb::EventListener {
 public:
  struct State {
    uint64_t flushes = 0;   // completed
    uint64_t errors = 0;    // background errors
    rocksdb::Status error;  // the last
  };

  State state() const {
    MutexLock lock(mu_);
    return state_;
  }
  // Returns when a flush or an error came after `seen`.
  State WaitForChange(const State& seen) const {
    MutexLock lock(mu_);
    while (state_.flushes == seen.flushes && state_.errors == seen.errors) changed_.Wait(mu_);
    return state_;
  }

  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) override {
    MutexLock lock(mu_);
    ++state_.flushes;
    changed_.NotifyAll();
  }
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* error) override {
    MutexLock lock(mu_);
    ++state_.errors;
    state_.error = *error;
    changed_.NotifyAll();
  }
  // RocksDB's own recovery from a full disk polls every five seconds and makes Resume fail
  // meanwhile: the engine resumes when it is next used instead.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }

 private:
  mutable Mutex mu_;
  mutable CondVar changed_;
  State state_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::rocks

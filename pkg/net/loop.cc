#include "pkg/net/loop.h"

#include <pthread.h>

#include <utility>

#include "pkg/base/mutex.h"

namespace kdb::net {

Loop::Loop(std::string name)
    : io_(1), executor_(io_), work_(io_.get_executor()), thread_([this, name = std::move(name)] {
        pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
        io_.run();
      }) {}

Loop::~Loop() {
  io_.stop();
  thread_.join();
}

void Loop::RunAndWait(Task task) {
  Mutex mu;
  CondVar ran;
  bool done = false;
  Post([&] {
    task();
    // Behind what `task` posted: else what the caller posts next could overtake that.
    Post([&] {
      MutexLock lock(mu);
      done = true;
      ran.NotifyAll();
    });
  });
  MutexLock lock(mu);
  while (!done) ran.Wait(mu);
}

}  // namespace kdb::net

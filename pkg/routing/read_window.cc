#include "pkg/routing/read_window.h"

#include <algorithm>
#include <utility>

namespace kdb::routing {

void ReadWindow::Add(OpPtr op) {
  forming_.bytes += op->args.bytes();
  forming_.ops.push_back(std::move(op));
  if (forming_.ops.size() >= max_ops_ || forming_.bytes >= max_bytes_) CloseForming();
}

void ReadWindow::CloseForming() {
  forming_.id = forming_id_++;
  ready_.push_back(std::exchange(forming_, {}));
}

ReadBatch* ReadWindow::Next() {
  if (ready_.empty() && !forming_.ops.empty()) CloseForming();
  if (ready_.empty()) return nullptr;
  in_flight_.push_back(std::move(ready_.front()));
  ready_.pop_front();
  return &in_flight_.back();
}

ReadBatch ReadWindow::Take(uint64_t id) {
  auto it = std::find_if(in_flight_.begin(), in_flight_.end(),
                         [id](const ReadBatch& batch) { return batch.id == id; });
  if (it == in_flight_.end()) return {};
  ReadBatch batch = std::move(*it);
  in_flight_.erase(it);
  return batch;
}

bool ReadWindow::AnyOutstanding() const {
  return std::any_of(in_flight_.begin(), in_flight_.end(),
                     [](const ReadBatch& batch) { return batch.outstanding; });
}

void ReadWindow::NoteLinkLost() {
  for (ReadBatch& batch : in_flight_) batch.outstanding = false;
}

}  // namespace kdb::routing

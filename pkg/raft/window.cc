#include "pkg/raft/window.h"

#include <algorithm>

#include "pkg/base/check.h"

namespace kdb::raft {

void Window::Add(Index last, size_t bytes) {
  if (count_ == ring_.size()) Grow();
  size_t mask = ring_.size() - 1;
  KDB_DCHECK(count_ == 0 || ring_[(head_ + count_ - 1) & mask].last < last);
  ring_[(head_ + count_) & mask] = {last, bytes};
  ++count_;
  bytes_ += bytes;
}

void Window::FreeTo(Index index) {
  while (count_ > 0 && ring_[head_].last <= index) {
    bytes_ -= ring_[head_].bytes;
    head_ = (head_ + 1) & (ring_.size() - 1);
    --count_;
  }
}

void Window::Clear() { head_ = count_ = bytes_ = 0; }

void Window::Grow() {
  std::vector<Item> bigger(std::max<size_t>(8, ring_.size() * 2));
  for (size_t i = 0; i < count_; ++i) bigger[i] = ring_[(head_ + i) & (ring_.size() - 1)];
  ring_ = std::move(bigger);
  head_ = 0;
}

}  // namespace kdb::raft

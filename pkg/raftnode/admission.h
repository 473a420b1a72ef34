// Bounds the proposals and reads that are not yet answered.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>

namespace kdb::raftnode {

// Thread-safe; outlives its places.
class Admission {
 public:
  // One request's place, free again when destroyed.
  class Place {
   public:
    explicit Place(Admission& owner) : owner_(&owner) {}
    Place(Place&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(owner_, other.owner_);
      return *this;
    }
    ~Place() {
      if (owner_ != nullptr) owner_->used_.fetch_sub(1, std::memory_order_relaxed);
    }

   private:
    Admission* owner_;
  };

  explicit Admission(size_t limit) : limit_(limit) {}

  std::optional<Place> TryEnter() {
    if (used_.fetch_add(1, std::memory_order_relaxed) < limit_) return Place(*this);
    used_.fetch_sub(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const size_t limit_;
  std::atomic<size_t> used_ = 0;
};

}  // namespace kdb::raftnode

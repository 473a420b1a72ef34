// Immutable bytes shared by the log, the messages to peers and apply: encoded once, never copied.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace kdb {

// Cheap to copy. Thread-safe as an immutable value. Empty when default-constructed.
class Payload {
 public:
  Payload() = default;
  explicit Payload(std::string bytes)
      : bytes_(std::make_shared<const std::string>(std::move(bytes))), view_(*bytes_) {}
  // A part of a larger buffer; keeps the whole of it alive.
  Payload(std::shared_ptr<const std::string> owner, std::string_view view)
      : bytes_(std::move(owner)), view_(view) {}

  std::string_view view() const { return view_; }
  size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

  friend bool operator==(const Payload& a, const Payload& b) { return a.view_ == b.view_; }

 private:
  // Shared because the log cache, several in-flight messages and apply hold the same bytes at once.
  std::shared_ptr<const std::string> bytes_;
  std::string_view view_;
};

}  // namespace kdb

// Reads what this folder's encoders write, and nothing else: every value has one encoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "pkg/base/coding.h"

namespace kdb::wire {

// A ByteReader that also refuses padded varints and counts larger than the bytes that are left.
class StrictReader {
 public:
  explicit StrictReader(std::string_view in) : in_(in) {}

  template <typename T>
  T Little() {
    return in_.Little<T>();
  }
  uint64_t Varint() {
    std::string_view before = in_.rest();
    uint64_t v = in_.Varint();
    size_t used = before.size() - in_.rest().size();
    if (used > 1 && before[used - 1] == 0) Fail();
    return ok() ? v : 0;
  }
  // A number of items of at least `item_bytes` each that follow; 0 on failure.
  size_t Count(size_t item_bytes) {
    uint64_t n = Varint();
    if (n <= in_.rest().size() / item_bytes) return n;
    Fail();
    return 0;
  }
  std::string_view LengthPrefixed() { return in_.Bytes(Count(1)); }

  bool ok() const { return in_.ok(); }
  bool done() const { return in_.done(); }
  std::string_view rest() const { return in_.rest(); }

 private:
  void Fail() { in_.Bytes(SIZE_MAX); }

  ByteReader in_;
};

}  // namespace kdb::wire

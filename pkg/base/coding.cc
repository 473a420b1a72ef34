#include "pkg/base/coding.h"

namespace kdb {

void AppendVarint(std::string& out, uint64_t v) {
  while (v >= 0x80) {
    out.push_back(static_cast<char>(v | 0x80));
    v >>= 7;
  }
  out.push_back(static_cast<char>(v));
}

void AppendLengthPrefixed(std::string& out, std::string_view bytes) {
  AppendVarint(out, bytes.size());
  out.append(bytes);
}

uint64_t ByteReader::Varint() {
  uint64_t v = 0;
  for (int shift = 0; shift < 64 && !in_.empty(); shift += 7) {
    auto byte = static_cast<uint8_t>(in_.front());
    in_.remove_prefix(1);
    if (shift == 63 && byte > 1) break;
    v |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return v;
  }
  ok_ = false;
  in_ = {};
  return 0;
}

std::string_view ByteReader::Bytes(size_t n) {
  if (n > in_.size()) {
    ok_ = false;
    in_ = {};
    return {};
  }
  std::string_view b = in_.substr(0, n);
  in_.remove_prefix(n);
  return b;
}

std::string_view ByteReader::LengthPrefixed() {
  uint64_t n = Varint();
  return Bytes(n);
}

}  // namespace kdb

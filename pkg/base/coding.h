// Integers in byte strings. Keys use big endian (memcmp order = numeric order), records little
// endian.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace kdb {

static_assert(std::endian::native == std::endian::little);

template <typename T>
constexpr T SwapBytes(T v) {
  static_assert(sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8);
  if constexpr (sizeof(T) == 2) return static_cast<T>(__builtin_bswap16(v));
  if constexpr (sizeof(T) == 4) return static_cast<T>(__builtin_bswap32(v));
  return static_cast<T>(__builtin_bswap64(v));
}

template <typename T>
void AppendLittle(std::string& out, T v) {
  out.append(reinterpret_cast<const char*>(&v), sizeof(v));
}
template <typename T>
void AppendBig(std::string& out, T v) {
  AppendLittle(out, SwapBytes(v));
}
// `p` points at sizeof(T) readable bytes.
template <typename T>
T LoadLittle(const char* p) {
  T v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
template <typename T>
T LoadBig(const char* p) {
  return SwapBytes(LoadLittle<T>(p));
}
template <typename T>
void StoreLittle(char* p, T v) {
  std::memcpy(p, &v, sizeof(v));
}

// LEB128, at most 10 bytes.
void AppendVarint(std::string& out, uint64_t v);
// Varint length, then the bytes.
void AppendLengthPrefixed(std::string& out, std::string_view bytes);

// Reads from the front of a byte string. After the first failure every read fails and ok() is
// false; a failed read returns zero or an empty view. Views point into the input.
class ByteReader {
 public:
  explicit ByteReader(std::string_view in) : in_(in) {}

  template <typename T>
  T Little() {
    std::string_view b = Bytes(sizeof(T));
    return b.size() == sizeof(T) ? LoadLittle<T>(b.data()) : T{};
  }
  template <typename T>
  T Big() {
    return SwapBytes(Little<T>());
  }
  uint64_t Varint();
  std::string_view Bytes(size_t n);
  std::string_view LengthPrefixed();

  bool ok() const { return ok_; }
  // All input was consumed and no read failed.
  bool done() const { return ok_ && in_.empty(); }
  std::string_view rest() const { return in_; }

 private:
  std::string_view in_;
  bool ok_ = true;
};

}  // namespace kdb

#include "pkg/base/crc32c.h"

#include <array>

#include "pkg/base/coding.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace kdb {
namespace {

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = (c & 1) ? (c >> 1) ^ 0x82f63b78u : c >> 1;
    table[i] = c;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kTable = MakeTable();

uint32_t ExtendPortable(uint32_t c, std::string_view data) {
  for (char byte : data) c = (c >> 8) ^ kTable[(c ^ static_cast<uint8_t>(byte)) & 0xff];
  return c;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t ExtendSse42(uint32_t crc, std::string_view data) {
  uint64_t c = crc;
  const char* p = data.data();
  size_t n = data.size();
  for (; n >= 8; p += 8, n -= 8) c = _mm_crc32_u64(c, LoadLittle<uint64_t>(p));
  auto c32 = static_cast<uint32_t>(c);
  for (; n > 0; ++p, --n) c32 = _mm_crc32_u8(c32, static_cast<uint8_t>(*p));
  return c32;
}
#endif

}  // namespace

uint32_t ExtendCrc32c(uint32_t crc, std::string_view data) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return ~ExtendSse42(~crc, data);
#endif
  return ~ExtendPortable(~crc, data);
}

}  // namespace kdb

#include "pkg/base/crc16.h"

#include <array>

namespace kdb {
namespace {

constexpr std::array<uint16_t, 256> MakeTable() {
  std::array<uint16_t, 256> table{};
  for (unsigned i = 0; i < 256; ++i) {
    unsigned c = i << 8;
    for (int k = 0; k < 8; ++k) c = (c & 0x8000) ? (c << 1) ^ 0x1021 : c << 1;
    table[i] = static_cast<uint16_t>(c);
  }
  return table;
}
constexpr std::array<uint16_t, 256> kTable = MakeTable();

}  // namespace

uint16_t Crc16(std::string_view data) {
  uint16_t c = 0;
  for (char byte : data) {
    c = static_cast<uint16_t>((c << 8) ^ kTable[(c >> 8) ^ static_cast<uint8_t>(byte)]);
  }
  return c;
}

}  // namespace kdb

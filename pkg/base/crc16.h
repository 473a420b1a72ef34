// CRC-16/XMODEM (polynomial 0x1021, initial value 0), as Redis Cluster uses it for hash slots.
#pragma once

#include <cstdint>
#include <string_view>

namespace kdb {

uint16_t Crc16(std::string_view data);

}  // namespace kdb

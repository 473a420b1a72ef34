// CRC-32C (Castagnoli, RFC 3720 appendix B.4), with SSE 4.2 where the CPU has it.
#pragma once

#include <cstdint>
#include <string_view>

namespace kdb {

// The checksum of A+B from `crc` = the checksum of A; 0 for an empty A.
uint32_t ExtendCrc32c(uint32_t crc, std::string_view data);

inline uint32_t Crc32c(std::string_view data) { return ExtendCrc32c(0, data); }

}  // namespace kdb

#include "pkg/base/siphash.h"

#include <bit>

#include "pkg/base/coding.h"

namespace kdb {
namespace {

struct State {
  uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
};

}  // namespace

uint64_t SipHash24(const SipKey& key, std::string_view data) {
  State s{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
          key[1] ^ 0x7465646279746573};
  auto absorb = [&s](uint64_t m) {
    s.v3 ^= m;
    s.Round();
    s.Round();
    s.v0 ^= m;
  };
  size_t i = 0;
  for (; i + 8 <= data.size(); i += 8) absorb(LoadLittle<uint64_t>(data.data() + i));
  uint64_t last = static_cast<uint64_t>(data.size()) << 56;
  for (size_t k = 0; i + k < data.size(); ++k) {
    last |= static_cast<uint64_t>(static_cast<uint8_t>(data[i + k])) << (8 * k);
  }
  absorb(last);
  s.v2 ^= 0xff;
  for (int k = 0; k < 4; ++k) s.Round();
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

}  // namespace kdb

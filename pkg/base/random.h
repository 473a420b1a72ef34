// Seeded pseudo-random numbers: SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom
// Number Generators", OOPSLA 2014). The same seed gives the same sequence on every platform.
#pragma once

#include <cstdint>

namespace kdb {

// Not thread-safe.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // Uniform in [0, n); n > 0. The bias (< 2^-32 for n < 2^32) does not matter to any caller.
  uint64_t Uniform(uint64_t n) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * n) >> 64);
  }
  // True in one of `denominator` cases.
  bool OneIn(uint64_t denominator) { return Uniform(denominator) == 0; }
  double Fraction() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

 private:
  uint64_t state_;
};

// A seed from the operating system's entropy.
uint64_t SystemSeed();

}  // namespace kdb

// For tests: random commands of the families that run on shards, mostly sensible, sometimes not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/random.h"
#include "pkg/redis/command.h"

namespace kdb::exec {

using Args = std::vector<std::string>;

class CommandGenerator {
 public:
  explicit CommandGenerator(uint64_t seed) : random_(seed) {}

  // Times given relative to now lie at least 100 s apart from one another, so that a clock a few
  // seconds off decides nothing.
  Args Next();
  // The names that it generates, lower case.
  static std::vector<std::string_view> Names();

 private:
  using Maker = void (CommandGenerator::*)(Args&);
  struct Form;
  static const std::vector<Form>& Forms();

  void Key(Args& args);
  void Keys(Args& args);
  void Value(Args& args);
  void KeyValues(Args& args);
  void Integer(Args& args);
  void Position(Args& args);
  void Float(Args& args);
  void Seconds(Args& args);
  void Millis(Args& args);
  void SecondsAt(Args& args);
  void MillisAt(Args& args);
  void SetOptions(Args& args);
  void GetexOptions(Args& args);
  void ExpireFlags(Args& args);
  void FlushMode(Args& args);
  void Pattern(Args& args);
  void ScanArgs(Args& args);

  std::string Odd();  // what no command expects
  std::string AnyCase(std::string_view word);
  void TimeOption(Args& args);
  int64_t RelativeSeconds();
  template <size_t n>
  std::string OneOf(const char* const (&words)[n]) {
    return words[random_.Uniform(n)];
  }

  Random random_;
  int64_t relative_ = 0;
};

}  // namespace kdb::exec

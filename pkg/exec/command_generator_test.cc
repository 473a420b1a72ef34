#include "pkg/exec/command_generator.h"

#include <cctype>

namespace kdb::exec {

struct CommandGenerator::Form {
  std::string_view name;
  uint64_t weight;
  std::vector<Maker> arguments;
};

const std::vector<CommandGenerator::Form>& CommandGenerator::Forms() {
  using G = CommandGenerator;
  static const std::vector<Form> kForms = {
      {"get", 4, {&G::Key}},
      {"set", 10, {&G::Key, &G::Value, &G::SetOptions}},
      {"mget", 2, {&G::Keys}},
      {"mset", 2, {&G::KeyValues}},
      {"msetnx", 2, {&G::KeyValues}},
      {"setnx", 2, {&G::Key, &G::Value}},
      {"setex", 2, {&G::Key, &G::Seconds, &G::Value}},
      {"psetex", 2, {&G::Key, &G::Millis, &G::Value}},
      {"getset", 2, {&G::Key, &G::Value}},
      {"getdel", 2, {&G::Key}},
      {"getex", 4, {&G::Key, &G::GetexOptions}},
      {"append", 2, {&G::Key, &G::Value}},
      {"strlen", 2, {&G::Key}},
      {"setrange", 3, {&G::Key, &G::Position, &G::Value}},
      {"getrange", 3, {&G::Key, &G::Position, &G::Position}},
      {"substr", 2, {&G::Key, &G::Position, &G::Position}},
      {"incr", 2, {&G::Key}},
      {"decr", 2, {&G::Key}},
      {"incrby", 3, {&G::Key, &G::Integer}},
      {"decrby", 3, {&G::Key, &G::Integer}},
      {"incrbyfloat", 4, {&G::Key, &G::Float}},
      {"del", 2, {&G::Keys}},
      {"unlink", 1, {&G::Keys}},
      {"exists", 2, {&G::Keys}},
      {"type", 1, {&G::Key}},
      {"touch", 1, {&G::Keys}},
      {"expire", 4, {&G::Key, &G::Seconds, &G::ExpireFlags}},
      {"pexpire", 4, {&G::Key, &G::Millis, &G::ExpireFlags}},
      {"expireat", 4, {&G::Key, &G::SecondsAt, &G::ExpireFlags}},
      {"pexpireat", 4, {&G::Key, &G::MillisAt, &G::ExpireFlags}},
      {"ttl", 3, {&G::Key}},
      {"pttl", 3, {&G::Key}},
      {"expiretime", 3, {&G::Key}},
      {"pexpiretime", 3, {&G::Key}},
      {"persist", 2, {&G::Key}},
      {"dbsize", 1, {}},
      {"flushall", 1, {&G::FlushMode}},
      {"flushdb", 1, {&G::FlushMode}},
      {"keys", 2, {&G::Pattern}},
      {"randomkey", 1, {}},
      {"scan", 2, {&G::ScanArgs}},
  };
  return kForms;
}

std::vector<std::string_view> CommandGenerator::Names() {
  std::vector<std::string_view> names;
  for (const Form& form : Forms()) names.push_back(form.name);
  return names;
}

Args CommandGenerator::Next() {
  uint64_t weights = 0;
  for (const Form& form : Forms()) weights += form.weight;
  uint64_t nth = random_.Uniform(weights);
  const Form* form = Forms().data();
  for (; nth >= form->weight; ++form) nth -= form->weight;
  Args args = {AnyCase(form->name)};
  for (Maker make : form->arguments) (this->*make)(args);
  if (random_.OneIn(40) && args.size() > 1) args.pop_back();
  if (random_.OneIn(60)) args.push_back(Odd());
  if (random_.OneIn(60) && args.size() > 1) args[1 + random_.Uniform(args.size() - 1)] = Odd();
  return args;
}

std::string CommandGenerator::Odd() {
  static constexpr const char* kWords[] = {"",
                                           "abc",
                                           "-1",
                                           "0",
                                           "1.5",
                                           "9223372036854775807",
                                           "-9223372036854775808",
                                           "9223372036854775808",
                                           "-9223372036854775809",
                                           "1e400",
                                           "nan",
                                           "-nan",
                                           "inf",
                                           "-inf",
                                           " 1",
                                           "1 ",
                                           "+1",
                                           "01",
                                           "-0",
                                           "0x10",
                                           "1e5",
                                           "--1",
                                           "1_000",
                                           "NX",
                                           "EX",
                                           "GET",
                                           "\r\n",
                                           "{",
                                           "18446744073709551615",
                                           "18446744073709551616",
                                           "4611686018427387904"};
  return random_.OneIn(30) ? std::string("a\0b", 3) : OneOf(kWords);
}

std::string CommandGenerator::AnyCase(std::string_view word) {
  std::string out(word);
  for (char& c : out) {
    if (random_.OneIn(4)) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return out;
}

void CommandGenerator::Key(Args& args) {
  args.push_back((random_.OneIn(4) ? "{t}" : "k") + std::to_string(random_.Uniform(12)));
}
void CommandGenerator::Keys(Args& args) {
  for (uint64_t n = 1 + random_.Uniform(4); n-- > 0;) Key(args);
}
void CommandGenerator::Value(Args& args) {
  switch (random_.Uniform(6)) {
    case 0:
      return Integer(args);
    case 1:
      return Float(args);
    case 2:
      return args.push_back(Odd());
    case 3:
      return args.push_back(std::string(random_.Uniform(200), 'x'));
    default:
      return args.push_back("v" + std::to_string(random_.Uniform(1000)));
  }
}
void CommandGenerator::KeyValues(Args& args) {
  for (uint64_t n = 1 + random_.Uniform(4); n-- > 0;) {
    Key(args);
    Value(args);
  }
}
void CommandGenerator::Integer(Args& args) {
  static constexpr const char* kEdges[] = {"9223372036854775807", "-9223372036854775808",
                                           "9223372036854775806", "-9223372036854775807"};
  if (random_.OneIn(8)) return args.push_back(OneOf(kEdges));
  args.push_back(std::to_string(static_cast<int64_t>(random_.Uniform(2000)) - 1000));
}
void CommandGenerator::Position(Args& args) {
  static constexpr const char* kEdges[] = {"1048575",
                                           "1048576",
                                           "2147483648",
                                           "4294967296",
                                           "9223372036854775807",
                                           "-9223372036854775808"};
  if (random_.OneIn(25)) return args.push_back(OneOf(kEdges));
  args.push_back(std::to_string(static_cast<int64_t>(random_.Uniform(60)) - 20));
}
void CommandGenerator::Float(Args& args) {
  static constexpr const char* kForms[] = {"3.0",
                                           "-0.0",
                                           "1e3",
                                           "1e-7",
                                           ".5",
                                           "5.",
                                           "0x1p3",
                                           "inf",
                                           "nan",
                                           "1e4931",
                                           "1e17",
                                           "1e-5000",
                                           "123456789012345678.25",
                                           "-inf",
                                           "1e4932"};
  if (random_.OneIn(3)) return args.push_back(OneOf(kForms));
  args.push_back(std::to_string(static_cast<int64_t>(random_.Uniform(2000)) - 1000) + "." +
                 std::to_string(random_.Uniform(100000)));
}

int64_t CommandGenerator::RelativeSeconds() {
  relative_ = (relative_ + 7919) % 100003;  // a prime step: all differ for a long time
  return 100'000 + relative_ * 100;
}
void CommandGenerator::Seconds(Args& args) {
  static constexpr const char* kEdges[] = {"0",
                                           "-1",
                                           "9223372036854775",
                                           "9223372036854776",
                                           "-9223372036854775808",
                                           "9223372036854775807"};
  args.push_back(random_.OneIn(6) ? OneOf(kEdges) : std::to_string(RelativeSeconds()));
}
void CommandGenerator::Millis(Args& args) {
  static constexpr const char* kEdges[] = {"0", "-1", "9223372036854775807",
                                           "-9223372036854775808"};
  args.push_back(random_.OneIn(6) ? OneOf(kEdges) : std::to_string(RelativeSeconds() * 1000));
}
void CommandGenerator::SecondsAt(Args& args) {
  static constexpr const char* kEdges[] = {
      "0", "-1", "1", "1000000000", "9223372036854775", "9223372036854776", "-9223372036854775808"};
  args.push_back(random_.OneIn(6) ? OneOf(kEdges)
                                  : std::to_string(4'000'000'000 + random_.Uniform(1000)));
}
void CommandGenerator::MillisAt(Args& args) {
  static constexpr const char* kEdges[] = {
      "0", "-1", "1", "1000000000000", "9223372036854775807", "-9223372036854775808"};
  args.push_back(random_.OneIn(6) ? OneOf(kEdges)
                                  : std::to_string(4'000'000'000'000 + random_.Uniform(100000)));
}

void CommandGenerator::TimeOption(Args& args) {
  switch (random_.Uniform(4)) {
    case 0:
      args.push_back(AnyCase("ex"));
      return Seconds(args);
    case 1:
      args.push_back(AnyCase("px"));
      return Millis(args);
    case 2:
      args.push_back(AnyCase("exat"));
      return SecondsAt(args);
    default:
      args.push_back(AnyCase("pxat"));
      return MillisAt(args);
  }
}
void CommandGenerator::SetOptions(Args& args) {
  static constexpr const char* kFlags[] = {"nx", "xx", "get", "keepttl", "persist"};
  if (random_.OneIn(3)) return;
  for (uint64_t n = 1 + random_.Uniform(3); n-- > 0;) {
    if (random_.OneIn(2)) {
      args.push_back(AnyCase(OneOf(kFlags)));
    } else {
      TimeOption(args);
    }
  }
}
void CommandGenerator::GetexOptions(Args& args) {
  static constexpr const char* kFlags[] = {"persist", "persist", "keepttl", "nx"};
  if (random_.OneIn(4)) return;
  do {
    if (random_.OneIn(3)) {
      args.push_back(AnyCase(OneOf(kFlags)));
    } else {
      TimeOption(args);
    }
  } while (random_.OneIn(8));
}
void CommandGenerator::ExpireFlags(Args& args) {
  static constexpr const char* kFlags[] = {"nx", "xx", "gt", "lt"};
  while (random_.OneIn(2)) args.push_back(AnyCase(OneOf(kFlags)));
}
void CommandGenerator::FlushMode(Args& args) {
  static constexpr const char* kModes[] = {"async", "sync", "now"};
  if (random_.OneIn(3)) args.push_back(AnyCase(OneOf(kModes)));
}
void CommandGenerator::Pattern(Args& args) {
  static constexpr const char* kPatterns[] = {
      "*",  "k*", "k?",  "k[1-3]", "k[^1]",  "{t}*", "{t}1", "k1",         "\\k1",
      "k[", "",   "*1*", "k\\",    "k[3-1]", "{t*",  "?{*",  "[{]t}[0-9]", "nothing*"};
  args.push_back(OneOf(kPatterns));
}
void CommandGenerator::ScanArgs(Args& args) {
  static constexpr const char* kTypes[] = {"string", "STRING", "hash", "bogus"};
  args.push_back(random_.OneIn(10) ? Odd() : "0");
  while (random_.OneIn(2)) {
    switch (random_.Uniform(4)) {
      case 0:
        args.push_back(AnyCase("match"));
        Pattern(args);
        break;
      case 1:
        args.push_back(AnyCase("type"));
        args.push_back(OneOf(kTypes));
        break;
      case 2:
        args.push_back(AnyCase("count"));
        Integer(args);
        break;
      default:
        args.push_back(AnyCase("count"));
        args.push_back("1000");
    }
  }
}

}  // namespace kdb::exec

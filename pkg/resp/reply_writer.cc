#include "pkg/resp/reply_writer.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace kdb::resp {
namespace {

constexpr std::string_view kNewline = "\r\n";

bool IsNewline(char c) { return c == '\r' || c == '\n'; }

}  // namespace

void ReplyWriter::Header(char type, int64_t n) {
  char text[24];
  text[0] = type;
  char* const end = std::to_chars(text + 1, text + sizeof(text) - 2, n).ptr;
  std::memcpy(end, kNewline.data(), kNewline.size());
  out_.append(text, end + kNewline.size());
}

void ReplyWriter::Simple(std::string_view text) {
  out_.push_back('+');
  out_.append(text).append(kNewline);
}

void ReplyWriter::Error(std::string_view text) {
  while (!text.empty() && IsNewline(text.back())) text.remove_suffix(1);
  out_.push_back('-');
  const size_t start = out_.size();
  out_.append(text);
  for (size_t i = start; i < out_.size(); ++i) {
    if (IsNewline(out_[i])) out_[i] = ' ';
  }
  out_.append(kNewline);
}

void ReplyWriter::Integer(int64_t v) { Header(':', v); }

void ReplyWriter::Bulk(std::string_view bytes) {
  Header('$', static_cast<int64_t>(bytes.size()));
  out_.append(bytes).append(kNewline);
}

void ReplyWriter::Null() { out_.append(version_ == Version::kResp2 ? "$-1\r\n" : "_\r\n"); }

void ReplyWriter::NullArray() { out_.append(version_ == Version::kResp2 ? "*-1\r\n" : "_\r\n"); }

void ReplyWriter::Double(double v) {
  char text[32];
  std::string_view shown;
  if (std::isnan(v)) {
    shown = "nan";
  } else if (std::isinf(v)) {
    shown = v > 0 ? "inf" : "-inf";
  } else {
    // As Redis 7.0; later versions print the shortest form that reads back the same.
    shown = {text, static_cast<size_t>(std::snprintf(text, sizeof(text), "%.17g", v))};
  }
  if (version_ == Version::kResp2) return Bulk(shown);
  out_.push_back(',');
  out_.append(shown).append(kNewline);
}

void ReplyWriter::Boolean(bool v) {
  if (version_ == Version::kResp2) return Integer(v ? 1 : 0);
  out_.append(v ? "#t\r\n" : "#f\r\n");
}

void ReplyWriter::BigNumber(std::string_view digits) {
  if (version_ == Version::kResp2) return Bulk(digits);
  out_.push_back('(');
  out_.append(digits).append(kNewline);
}

void ReplyWriter::Verbatim(std::string_view format, std::string_view text) {
  if (version_ == Version::kResp2) return Bulk(text);
  Header('=', static_cast<int64_t>(format.size() + 1 + text.size()));
  out_.append(format).append(":").append(text).append(kNewline);
}

void ReplyWriter::Array(size_t n) { Header('*', static_cast<int64_t>(n)); }

void ReplyWriter::Map(size_t pairs) {
  const int64_t n = static_cast<int64_t>(pairs);
  version_ == Version::kResp2 ? Header('*', 2 * n) : Header('%', n);
}

void ReplyWriter::Set(size_t n) {
  Header(version_ == Version::kResp2 ? '*' : '~', static_cast<int64_t>(n));
}

void ReplyWriter::Push(size_t n) {
  Header(version_ == Version::kResp2 ? '*' : '>', static_cast<int64_t>(n));
}

}  // namespace kdb::resp

// Builds replies in RESP2 or RESP3 (Redis protocol specification).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kdb::resp {

enum class Version : uint8_t { kResp2 = 2, kResp3 = 3 };

// Appends to a string it does not own. In RESP2, types of RESP3 become what Redis sends instead.
class ReplyWriter {
 public:
  ReplyWriter(Version version, std::string& out) : version_(version), out_(out) {}

  Version version() const { return version_; }

  void Simple(std::string_view text);  // +text
  void Ok() { out_.append("+OK\r\n"); }
  // -text: starts with an error code ("ERR ...", "WRONGTYPE ..."). CR and LF in it become spaces,
  // at its end they go.
  void Error(std::string_view text);
  void Integer(int64_t v);
  void Bulk(std::string_view bytes);
  void Null();            // $-1 or _
  void NullArray();       // *-1 or _
  void Double(double v);  // bulk or ,
  void Boolean(bool v);   // :0 :1 or #f #t
  void BigNumber(std::string_view digits);
  void Verbatim(std::string_view format, std::string_view text);  // bulk or =
  void Array(size_t n);                                           // followed by n replies
  void Map(size_t pairs);                                         // followed by 2n replies
  void Set(size_t n);
  void Push(size_t n);
  void Raw(std::string_view encoded) { out_.append(encoded); }

  // The length of the string so far; back to a length that it had, when what was begun cannot be
  // finished.
  size_t size() const { return out_.size(); }
  void Rewind(size_t size) { out_.resize(size); }

 private:
  void Header(char type, int64_t n);

  Version version_;
  std::string& out_;
};

}  // namespace kdb::resp

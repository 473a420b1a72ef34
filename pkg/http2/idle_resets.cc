#include "pkg/http2/idle_resets.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>

namespace kdb::http2 {
namespace {

uint32_t Number(const char* bytes, size_t size) {
  uint32_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

uint32_t Length(const char* head) { return Number(head, 3); }
char Type(const char* head) { return head[3]; }
uint32_t StreamId(const char* head) { return Number(head + 5, 4) & ~(1U << 31); }

}  // namespace

std::string_view IdleResets::Next(std::string_view* in) {
  while (!in->empty()) {
    size_t dropped = std::min(drop_, in->size());
    drop_ -= dropped;
    in->remove_prefix(dropped);
    if (size_t passing = Passing(*in); passing > 0) {
      std::string_view next = in->substr(0, passing);
      in->remove_prefix(passing);
      return next;
    }
    if (TakeHead(in)) return {head_.data(), head_.size()};
  }
  return {};
}

int IdleResets::TakeCount() { return std::exchange(count_, 0); }

size_t IdleResets::Passing(std::string_view in) {
  size_t passing = 0;
  while (true) {
    size_t n = std::min(pass_, in.size() - passing);
    pass_ -= n;
    passing += n;
    if (head_bytes_ > 0 || in.size() - passing < kHeadBytes) return passing;
    const char* head = in.data() + passing;
    if (IsIdleReset(head)) return passing;
    NoteHead(head);
    passing += kHeadBytes;
  }
}

bool IdleResets::TakeHead(std::string_view* in) {
  size_t n = in->copy(head_.data() + head_bytes_, kHeadBytes - head_bytes_);
  in->remove_prefix(n);
  head_bytes_ += n;
  if (head_bytes_ < kHeadBytes) return false;
  head_bytes_ = 0;
  if (!IsIdleReset(head_.data())) {
    NoteHead(head_.data());
    return true;
  }
  drop_ = Length(head_.data());
  ++count_;
  return false;
}

bool IdleResets::IsIdleReset(const char* head) const {
  return Type(head) == NGHTTP2_RST_STREAM && StreamId(head) > last_call_;
}

void IdleResets::NoteHead(const char* head) {
  pass_ = Length(head);
  if (Type(head) == NGHTTP2_HEADERS) last_call_ = std::max(last_call_, StreamId(head));
}

}  // namespace kdb::http2

#include "e2e/faults/recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

namespace kdb::e2e {
namespace {

// The errors by which the proxy says that nothing was executed.
constexpr std::string_view kRefusals[] = {"TIMEOUT", "OOM", "BUSY", "CLUSTERDOWN", "LOADING"};

}  // namespace

int64_t Now() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

Outcome Recorder::Record(testing::Operation op, const Reply& reply) {
  int64_t now = Now();
  slowest_ns_ = std::max(slowest_ns_, now - op.call);
  if (reply.type != Reply::Type::kError) {
    op.ret = now;
    if (reply.type == Reply::Type::kValue) op.result = reply.text;
    history_.push_back(std::move(op));
    return Outcome::kDone;
  }
  std::string code = reply.text.substr(0, reply.text.find(' '));
  if (now - op.call < kPatience / std::chrono::nanoseconds(1) &&
      (code == "UNKNOWN" || code == "TIMEOUT")) {
    ++early_[reply.text];
  }
  if (code == "UNKNOWN") {
    RecordOpen(std::move(op), false);
    return Outcome::kUnknown;
  }
  if (std::find(std::begin(kRefusals), std::end(kRefusals), code) != std::end(kRefusals)) {
    ++refused_[code];
    return Outcome::kRefused;
  }
  ++wrong_[reply.text];
  RecordOpen(std::move(op), false);
  return Outcome::kWrong;
}

void Recorder::RecordOpen(testing::Operation op, bool hung) {
  ++unknown_;
  if (hung) ++hung_;
  op.ret = testing::Operation::kOpen;
  op.result = std::nullopt;
  if (op.kind != testing::OpKind::kGet) history_.push_back(std::move(op));
}

void Recorder::Add(Recorder&& other) {
  history_.insert(history_.end(), std::make_move_iterator(other.history_.begin()),
                  std::make_move_iterator(other.history_.end()));
  for (const auto& [code, n] : other.refused_) refused_[code] += n;
  for (const auto& [text, n] : other.wrong_) wrong_[text] += n;
  for (const auto& [text, n] : other.early_) early_[text] += n;
  unknown_ += other.unknown_;
  hung_ += other.hung_;
  reconnects_ += other.reconnects_;
  slowest_ns_ = std::max(slowest_ns_, other.slowest_ns_);
}

std::string Recorder::Summary() const {
  return nlohmann::json{{"operations", history_.size()},
                        {"unknown", unknown_},
                        {"refused", refused_},
                        {"wrong", wrong_},
                        {"early", early_},
                        {"hung", hung_},
                        {"reconnects", reconnects_},
                        {"slowest_ms", slowest_ns_ / 1'000'000}}
      .dump();
}

}  // namespace kdb::e2e

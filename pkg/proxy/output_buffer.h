// Bytes on their way to a client: small replies are joined, large ones are not copied, all of it is
// written by gather.
#pragma once

#include <array>
#include <asio/buffer.hpp>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <utility>

namespace kdb::proxy {

// Not thread-safe. Takes no memory while empty.
class OutputBuffer {
 public:
  static constexpr size_t kMaxGather = 32;
  using Gather = std::array<asio::const_buffer, kMaxGather>;

  void Append(std::string&& reply) {
    bytes_ += reply.size();
    if (chunks_ == nullptr) chunks_ = std::make_unique<std::deque<std::string>>();
    if (!chunks_->empty() && chunks_->back().size() + reply.size() <= kChunkBytes) {
      chunks_->back().append(reply);
      return;
    }
    chunks_->push_back(std::move(reply));
  }
  // The front of what is left; unused places are empty.
  void Fill(Gather* gather) const {
    gather->fill({});
    size_t skip = written_;
    for (size_t i = 0; i < std::min(kMaxGather, chunks_->size()); ++i) {
      const std::string& chunk = (*chunks_)[i];
      (*gather)[i] = asio::const_buffer(chunk.data() + skip, chunk.size() - skip);
      skip = 0;
    }
  }
  void Consume(size_t n) {
    bytes_ -= n;
    written_ += n;
    while (!chunks_->empty() && written_ >= chunks_->front().size()) {
      written_ -= chunks_->front().size();
      chunks_->pop_front();
    }
    if (chunks_->empty()) chunks_ = nullptr;
  }

  size_t bytes() const { return bytes_; }
  bool empty() const { return bytes_ == 0; }

 private:
  static constexpr size_t kChunkBytes = 16 << 10;

  std::unique_ptr<std::deque<std::string>> chunks_;
  size_t written_ = 0;  // of the first chunk
  size_t bytes_ = 0;
};

}  // namespace kdb::proxy

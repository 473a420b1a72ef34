#include "pkg/wal/recovery.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "pkg/base/damage.h"
#include "pkg/base/status.h"
#include "pkg/wal/segment_reader.h"

namespace kdb::wal {
namespace {

// What the operator reads behind every refusal.
constexpr std::string_view kAdvice =
    "This replica's log lost data that was durable, so it may have forgotten votes and "
    "acknowledged entries: it must not take part again. Check the disk, start a server on an empty "
    "data directory and let it replace this replica as a new member, which gets its data from the "
    "others: kdbctl member replace.";

absl::Status Advised(const absl::Status& status) {
  if (!absl::IsDataLoss(status)) return status;
  const std::string advised =
      fmt::format("raft log damaged: {}. {}", std::string(status.message()), kAdvice);
  return IsDamage(status) ? DamageError(advised) : absl::DataLossError(advised);
}

// A vote that was cut off with a torn tail may have been sent: it is kept. Remembering one that was
// not sent is harmless.
void Merge(const raft::HardState& found, raft::HardState* hard_state) {
  raft::Index commit = std::max(found.commit, hard_state->commit);
  if (found.term > hard_state->term) {
    *hard_state = found;
  } else if (found.term == hard_state->term && hard_state->vote == raft::kNoNode) {
    hard_state->vote = found.vote;
  }
  hard_state->commit = commit;
}

class Recovery {
 public:
  explicit Recovery(const SegmentStore& store) : store_(store) {}

  absl::StatusOr<RecoveredLog> Run() {
    if (store_.found().empty()) return std::move(log_);
    KDB_RETURN_IF_ERROR(FollowChain());
    const SegmentHeader& oldest = log_.segments.front()->header;
    log_.index.Reset(oldest.prev_index, oldest.prev_term);
    for (size_t i = 0; i < log_.segments.size(); ++i) {
      KDB_RETURN_IF_ERROR(ReplayHeader(*log_.segments[i]));
      bool newest = i + 1 == log_.segments.size();
      KDB_RETURN_IF_ERROR(
          newest ? ReplayNewest(*log_.segments[i])
                 : ReplaySealed(*log_.segments[i], log_.segments[i + 1]->header.prev_end));
    }
    KDB_RETURN_IF_ERROR(CheckWhole());
    PrepareNext();
    return std::move(log_);
  }

 private:
  // From the newest segment back to the first that has no predecessor, or whose predecessor was
  // cut.
  absl::Status FollowChain() {
    std::vector<uint64_t> ids = store_.found();
    uint64_t id = ids.back();
    for (;;) {
      KDB_ASSIGN_OR_RETURN(std::shared_ptr<Segment> segment, store_.Load(id));
      while (!ids.empty() && ids.back() > id) {  // left behind by an earlier recovery
        log_.garbage.push_back(ids.back());
        ids.pop_back();
      }
      ids.pop_back();
      uint64_t prev = segment->header.prev_id;
      if (prev >= id) return Bad(*segment, 40, "a segment follows a later one");
      log_.segments.push_front(std::move(segment));
      id = prev;
      bool there = std::binary_search(ids.begin(), ids.end(), id);
      if (there) continue;
      KDB_RETURN_IF_ERROR(CheckStart(ids, id));
      log_.garbage.insert(log_.garbage.end(), ids.begin(), ids.end());
      return absl::OkStatus();
    }
  }

  // `prev`, the predecessor of the oldest segment, is not there. Segments are cut oldest first, so
  // none below it may be left, unless a reset (prev 0) put an end to them all.
  absl::Status CheckStart(const std::vector<uint64_t>& older, uint64_t prev) {
    if (prev == 0 || older.empty() || older.front() > prev) return absl::OkStatus();
    return absl::DataLossError(fmt::format("{} is missing, offset 0, while the older {} is there",
                                           store_.PathOf(prev), store_.PathOf(older.front())));
  }

  absl::Status ReplayHeader(const Segment& segment) {
    const SegmentHeader& header = segment.header;
    log_.hard_state = header.hard_state;
    if (header.prev_index != log_.index.last_index() ||
        log_.index.TermAt(header.prev_index).value_or(header.prev_term) != header.prev_term) {
      return Bad(
          segment, 56,
          fmt::format(
              "the segment follows entry {} of term {}, but the one before ends with entry {}",
              header.prev_index, header.prev_term, log_.index.last_index()));
    }
    entries_ = 0;
    return absl::OkStatus();
  }

  absl::Status ReplaySealed(const Segment& segment, uint64_t end) {
    SegmentReader reader(segment);
    KDB_RETURN_IF_ERROR(reader.Load(end));
    KDB_ASSIGN_OR_RETURN(uint64_t stop, reader.Walk(SinkFor(segment)));
    if (stop >= end) return absl::OkStatus();
    return Bad(segment, stop,
               fmt::format("bad record, though the next segment says that all below {} "
                           "was durable",
                           end));
  }

  absl::Status ReplayNewest(const Segment& segment) {
    SegmentReader reader(segment);
    KDB_RETURN_IF_ERROR(reader.Load(segment.header.file_bytes));
    KDB_ASSIGN_OR_RETURN(uint64_t stop, reader.Walk(SinkFor(segment)));
    SegmentReader::Beyond beyond = reader.LookBeyond(stop);
    if (beyond.durable > stop) {
      return Bad(segment, stop,
                 fmt::format("bad record, though the record at {} says that all below {} was "
                             "durable",
                             beyond.witness, beyond.durable));
    }
    for (const raft::HardState& found : beyond.hard_states) Merge(found, &log_.hard_state);
    log_.dropped_tail_bytes = beyond.end - stop;
    log_.last_end = stop;
    // A process may have died before its sync while the system lived on: the next header will claim
    // this durable.
    return segment.file->DataSync();
  }

  SegmentReader::Sink SinkFor(const Segment& segment) {
    return [this, &segment](const FoundRecord& record) { return Replay(segment, record); };
  }

  absl::Status Replay(const Segment& segment, const FoundRecord& record) {
    const RecordHeader& header = record.header;
    if (header.type == RecordType::kHardState) {
      log_.hard_state = RecordCodec::DecodeHardState(header, record.body);
    } else if (header.type == RecordType::kEntry) {
      ++entries_;
      EntryPosition position{.term = header.term,
                             .segment = static_cast<uint32_t>(segment.header.id),
                             .offset = static_cast<uint32_t>(record.offset),
                             .body_bytes = header.body_bytes};
      if (!log_.index.Put(header.index, position)) {
        return Bad(segment, record.offset,
                   fmt::format("entry {} follows entry {}", header.index, log_.index.last_index()));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckWhole() {
    if (log_.index.last_index() >= log_.index.base_index()) return absl::OkStatus();
    return Bad(*log_.segments.back(), log_.last_end,
               fmt::format("the log ends with entry {}, below its start {}",
                           log_.index.last_index(), log_.index.base_index()));
  }

  void PrepareNext() {
    const Segment& newest = *log_.segments.back();
    // Beyond the end after damage to the tail. Entries that are gone cannot be committed here.
    log_.hard_state.commit = std::min(log_.hard_state.commit, log_.index.last_index());
    if (entries_ == 0) {  // the new segment repeats all that this one says
      log_.next = newest.header;
      log_.garbage.insert(log_.garbage.begin(), newest.header.id);
      log_.segments.pop_back();
    } else {
      log_.next.prev_id = newest.header.id;
      log_.next.prev_end = log_.last_end;
    }
    log_.next.prev_index = log_.index.last_index();
    log_.next.prev_term = *log_.index.TermAt(log_.index.last_index());
    log_.next.hard_state = log_.hard_state;
  }

  static absl::Status Bad(const Segment& segment, uint64_t offset, std::string_view what) {
    return DamageError(fmt::format("{}, offset {}: {}", segment.path, offset, what));
  }

  const SegmentStore& store_;
  RecoveredLog log_;
  uint64_t entries_ = 0;  // in the segment replayed last
};

}  // namespace

absl::StatusOr<RecoveredLog> RecoverLog(const SegmentStore& store, bool must_exist) {
  if (must_exist && store.found().empty()) {
    return Advised(absl::DataLossError(
        fmt::format("{}: all its segments are gone, although it was created once", store.dir())));
  }
  absl::StatusOr<RecoveredLog> log = Recovery(store).Run();
  if (!log.ok()) return Advised(log.status());
  return log;
}

}  // namespace kdb::wal

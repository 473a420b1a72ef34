package workload

import (
	"context"
	"sync"
	"time"
)

const (
	stallStep  = 20 * time.Millisecond
	leastStall = 250 * time.Millisecond
)

// Stalls are times in which this program, and so most likely the whole machine, stood still: what was measured meanwhile says nothing
// about the cluster. Thread-safe.
type Stalls struct {
	mu    sync.Mutex
	spans [][2]time.Duration
}

func (s *Stalls) watch(ctx context.Context, now func() time.Duration) {
	for last := now(); ctx.Err() == nil; {
		time.Sleep(stallStep)
		at := now()
		if at-last > leastStall {
			s.add(last, at)
		}
		last = at
	}
}

func (s *Stalls) add(from, to time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spans = append(s.spans, [2]time.Duration{from, to})
}

// Within is true when one overlaps with the time between.
func (s *Stalls) Within(from, to time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, span := range s.spans {
		if span[0] <= to && span[1] >= from {
			return true
		}
	}
	return false
}

// All is how many there were, and how long they were together.
func (s *Stalls) All() (count int, total time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, span := range s.spans {
		total += span[1] - span[0]
	}
	return len(s.spans), total
}

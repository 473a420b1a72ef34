// Package workload keeps mixed load on the proxies and records what clients did and saw.
package workload

import (
	"fmt"
	"math/rand"
	"sync"
	"time"

	"eraftkdb/e2e/chaos/cluster"
	"eraftkdb/e2e/chaos/history"
)

// A subject lives until one of these; then a fresh one takes its place. They bound the checker's search.
const (
	mostOperations = 300
	mostOpen       = 5
	mostConcurrent = 5
	longestLife    = 15 * time.Second
)

// subject is what a checker judges by itself: a key, or a pair of keys.
type subject struct {
	name   string
	family history.Family
	group  int
	keys   []string
	born   time.Time

	mu         sync.Mutex
	concurrent int
	open       int
	operations []history.Operation
}

func newSubject(number int, family history.Family, group int) *subject {
	s := &subject{name: fmt.Sprintf("%s-%d", family, number), family: family, group: group, born: time.Now()}
	tag := s.name
	for i := 0; cluster.GroupOfSlot(slotOf(tag)) != group; i++ {
		tag = fmt.Sprintf("%s.%d", s.name, i)
	}
	s.keys = []string{"{" + tag + "}"}
	if family == history.Pair {
		s.keys = []string{"{" + tag + "}first", "{" + tag + "}second"}
	}
	return s
}

// enter is false when enough clients are busy with the subject; one that reads always may.
func (s *subject) enter(reads bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.concurrent >= mostConcurrent && !reads {
		return false
	}
	s.concurrent++
	return true
}

// leave ends what enter began; recorded: nil when the operation was not executed or is of no consequence.
func (s *subject) leave(recorded *history.Operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.concurrent--
	if recorded == nil {
		return
	}
	if recorded.Return == history.Open {
		s.open++
	}
	s.operations = append(s.operations, *recorded)
}

func (s *subject) worn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open >= mostOpen || len(s.operations) >= mostOperations || time.Since(s.born) > longestLife
}

// subjects is all there are and were. Thread-safe.
type subjects struct {
	mu   sync.Mutex
	all  []*subject
	live []*subject
}

// liveFamilies are, per group, in use at a time.
var liveFamilies = []history.Family{history.Register, history.Register, history.Counter, history.Log, history.Pair}

func newSubjects() *subjects {
	s := &subjects{}
	for group := 1; group <= cluster.Groups; group++ {
		for _, family := range liveFamilies {
			s.live = append(s.live, s.create(family, group))
		}
	}
	return s
}

func (s *subjects) create(family history.Family, group int) *subject {
	fresh := newSubject(len(s.all)+1, family, group)
	s.all = append(s.all, fresh)
	return fresh
}

// pick enters a subject at random; nil: all are busy.
func (s *subjects) pick(random *rand.Rand, reads bool) *subject {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range s.live {
		at := random.Intn(len(s.live))
		if s.live[at].worn() {
			s.live[at] = s.create(s.live[at].family, s.live[at].group)
		}
		if s.live[at].enter(reads) {
			return s.live[at]
		}
	}
	return nil
}

// slotOf is the slot of a hash tag.
func slotOf(tag string) int {
	crc := uint16(0)
	for i := 0; i < len(tag); i++ {
		crc ^= uint16(tag[i]) << 8
		for bit := 0; bit < 8; bit++ {
			carry := crc & 0x8000
			crc <<= 1
			if carry != 0 {
				crc ^= 0x1021
			}
		}
	}
	return int(crc&16383) >> 4
}

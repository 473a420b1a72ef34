package workload

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"eraftkdb/e2e/chaos/cluster"
	"eraftkdb/e2e/chaos/history"
)

type replyError string

func (e replyError) Error() string { return string(e) }
func (replyError) RedisError()     {}

func TestClassify(t *testing.T) {
	cases := []struct {
		err  error
		want Outcome
	}{
		{nil, Done},
		{replyError("TIMEOUT no leader"), Refused},
		{replyError("OOM the disk is full"), Refused},
		{replyError("UNKNOWN the connection broke"), Unknown},
		{replyError("ERR syntax error"), Wrong},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, Refused},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, Unknown},
		{fmt.Errorf("EOF"), Unknown},
	}
	for _, c := range cases {
		if got, _ := classify(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

func TestLongestGap(t *testing.T) {
	acks := &Acks{}
	for _, at := range []int64{10, 20, 90, 80, 100} {
		acks.add(1, at)
	}
	cases := []struct{ group, from, to, now, want int }{
		{1, 0, 15, 200, 10},    // 0-10, 10-20
		{1, 15, 30, 200, 60},   // begins within, ends later
		{1, 50, 60, 200, 30},   // what came before does not count
		{1, 95, 300, 250, 150}, // still going on
		{2, 0, 100, 120, 120},
	}
	for _, c := range cases {
		got := acks.LongestGap(c.group, time.Duration(c.from), time.Duration(c.to), time.Duration(c.now))
		if got != time.Duration(c.want) {
			t.Errorf("group %d, %d to %d: %d, want %d", c.group, c.from, c.to, got, c.want)
		}
	}
}

func TestStalls(t *testing.T) {
	stalls := &Stalls{}
	stalls.add(10, 20)
	if stalls.Within(0, 9) || !stalls.Within(0, 10) || !stalls.Within(15, 16) || !stalls.Within(20, 30) || stalls.Within(21, 30) {
		t.Error("wrong overlaps")
	}
}

func TestSubjectsKeysAreInItsGroup(t *testing.T) {
	if slot := slotOf("123456789"); slot != (0x31C3&16383)>>4 {
		t.Errorf("slot %d", slot)
	}
	for number := 1; number < 50; number++ {
		for group := 1; group <= cluster.Groups; group++ {
			s := newSubject(number, history.Pair, group)
			tag := s.keys[1][1 : len(s.keys[1])-len("}second")]
			if cluster.GroupOfSlot(slotOf(tag)) != group {
				t.Errorf("%s is not in group %d", tag, group)
			}
		}
	}
}

func TestSubjectIsReplacedWhenWorn(t *testing.T) {
	s := newSubject(1, history.Register, 1)
	for i := 0; i < mostOpen; i++ {
		if s.worn() || !s.enter(false) {
			t.Fatalf("worn after %d open operations", i)
		}
		s.leave(&history.Operation{Return: history.Open})
	}
	if !s.worn() {
		t.Error("not worn")
	}
}

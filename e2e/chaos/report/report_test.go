package report

import (
	"strings"
	"testing"
	"time"

	"eraftkdb/e2e/chaos/nemesis"
	"eraftkdb/e2e/chaos/workload"
)

func TestSpread(t *testing.T) {
	var values []time.Duration
	for i := 100; i >= 1; i-- {
		values = append(values, time.Duration(i)*time.Millisecond)
	}
	if got := SpreadOf(values); got != (Spread{100, 50, 99, 100}) {
		t.Errorf("%+v", got)
	}
	if got := SpreadOf(nil).String(); got != "-" {
		t.Error(got)
	}
}

func TestKinds(t *testing.T) {
	load := workload.New([]string{"127.0.0.1:1"}, 1)
	second := func(n int) time.Duration { return time.Duration(n) * time.Second }
	kinds := KindsOf([]nemesis.Event{
		{Kind: "kill -9 of a leader", Groups: []int{1}, Alone: true},
		{Kind: "kill -9 of a leader", Groups: []int{1}, From: second(1), To: second(2)},
		{Kind: "leader transfer", Alone: true, Planned: true},
		{Kind: "leader transfer", Refused: "no leader"},
	}, load)
	if len(kinds) != 2 || kinds[0].Count != 2 || kinds[0].Measured != 1 || kinds[1].Refused != 1 || !kinds[1].Planned {
		t.Errorf("%+v", kinds)
	}
	var what []string
	for _, target := range TargetsOf(kinds) {
		what = append(what, target.What)
	}
	want := "kill -9 of a leader: write gap p99 <= 3000 ms;leader transfer: write gap p99 <= 200 ms;leader transfer: client errors"
	if got := strings.Join(what, ";"); got != want {
		t.Errorf("targets %q", got)
	}
}

func TestMarkdownSaysLoudlyWhatIsMissing(t *testing.T) {
	r := Report{Verdict: "FAILED", Failures: []string{"a write is lost"}, Skipped: []string{"partitions: no namespaces"}}
	for _, want := range []string{"# Chaos run: FAILED", "**FAILED**: a write is lost", "**SKIPPED**: partitions: no namespaces"} {
		if !strings.Contains(r.Markdown(), want) {
			t.Errorf("%q is not in\n%s", want, r.Markdown())
		}
	}
}

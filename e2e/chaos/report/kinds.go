package report

import (
	"fmt"
	"sort"
	"time"

	"eraftkdb/e2e/chaos/nemesis"
	"eraftkdb/e2e/chaos/workload"
)

// What clients see of a fault may come a little later.
const aftermath = time.Second

// Figures that must hold.
const (
	lostLeaderGap = 3 * time.Second
	plannedGap    = 200 * time.Millisecond
)

// KindsOf sums events up by kind, with what the load saw of them.
func KindsOf(events []nemesis.Event, load *workload.Load) []Kind {
	kinds := map[string]*Kind{}
	alone, storm := map[string][]time.Duration{}, map[string][]time.Duration{}
	for _, e := range events {
		k := kinds[e.Kind]
		if k == nil {
			k = &Kind{Name: e.Kind, Errors: map[string]int{}, Reasons: map[string]int{}}
			kinds[e.Kind] = k
		}
		if e.Refused != "" {
			k.Refused++
			k.Reasons[e.Refused]++
			continue
		}
		k.Count++
		if load.Stalls.Within(e.From, e.To+aftermath) {
			k.Stalled++
			continue
		}
		if !e.Alone {
			storm[e.Kind] = append(storm[e.Kind], longestGap(e, load))
			continue
		}
		k.Measured++
		alone[e.Kind] = append(alone[e.Kind], longestGap(e, load))
		if k.Planned = e.Planned; k.Planned {
			for reason, count := range load.FailuresWithin(e.From, e.To+aftermath) {
				k.Errors[reason] += count
			}
		}
	}
	var all []Kind
	for name, k := range kinds {
		k.Gap, k.Storm = SpreadOf(alone[name]), SpreadOf(storm[name])
		all = append(all, *k)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

func longestGap(e nemesis.Event, load *workload.Load) time.Duration {
	to := e.To
	if e.Alone {
		to += aftermath
	}
	longest := time.Duration(0)
	for _, group := range e.Groups {
		if gap := load.Acks.LongestGap(group, e.From, to, load.Now()); gap > longest {
			longest = gap
		}
	}
	return longest
}

// TargetsOf compares kinds with the figures that must hold.
func TargetsOf(kinds []Kind) []Target {
	var targets []Target
	for _, k := range kinds {
		switch {
		case k.Measured == 0:
		case k.Name == "kill -9 of a leader" || k.Name == "SIGSTOP of a leader":
			targets = append(targets, gapTarget(k, lostLeaderGap))
		case k.Planned:
			targets = append(targets, gapTarget(k, plannedGap), Target{What: k.Name + ": client errors", Found: Counts(k.Errors), Met: len(k.Errors) == 0})
		}
	}
	return targets
}

func gapTarget(k Kind, limit time.Duration) Target {
	return Target{What: fmt.Sprintf("%s: write gap p99 <= %d ms", k.Name, limit.Milliseconds()),
		Found: fmt.Sprintf("%.0f ms of %d", k.Gap.P99, k.Gap.Count), Met: k.Gap.P99 <= float64(limit.Milliseconds())}
}

// Package nemesis decides which faults happen when, and records them.
package nemesis

import (
	"context"
	"fmt"
	"math/rand"
	"strings"
	"time"

	"eraftkdb/e2e/chaos/cluster"
	"eraftkdb/e2e/chaos/faults"
	"eraftkdb/e2e/chaos/workload"
)

const (
	mostAtOnce   = 3
	longestPause = time.Second // between two faults of a storm
	shortestHold = 500 * time.Millisecond
	longestHold  = 8 * time.Second
	stormLength  = 20 * time.Second
	aloneHold    = 4 * time.Second // longer than an election takes
	settle       = time.Second     // before and after a fault that is measured
	pollStep     = 10 * time.Millisecond
)

// Once all faults are healed.
var (
	progressLimit = cluster.Scaled(30 * time.Second)
	readyLimit    = cluster.Scaled(60 * time.Second)
)

// Event is one fault that happened.
type Event struct {
	Kind    string
	Victims string
	Groups  []int         // whose writes it may have held up
	From    time.Duration // in the run
	To      time.Duration // healed
	Alone   bool          // nothing else went wrong meanwhile
	Planned bool          // and clients may not notice it
	Refused string        // why it did not happen; else empty
}

// Nemesis is not thread-safe.
type Nemesis struct {
	cluster *cluster.Cluster
	load    *workload.Load
	env     *faults.Env
	say     func(format string, args ...interface{})
	turn    int // in the rotation of measured faults

	Events     []Event
	Recoveries []time.Duration // from the last heal to a write in every group
}

// New makes one whose choices follow from the seed and from what the cluster does.
func New(c *cluster.Cluster, load *workload.Load, seed int64, say func(string, ...interface{})) *Nemesis {
	wires, _ := c.Network.Wires()
	return &Nemesis{cluster: c, load: load, env: faults.NewEnv(c, wires, rand.New(rand.NewSource(seed))), say: say}
}

// Round is a storm of overlapping faults and then some alone, each with time to recover. An error: the cluster did not recover.
func (n *Nemesis) Round(ctx context.Context, deadline time.Time) error {
	end := time.Now().Add(stormLength)
	if end.After(deadline) {
		end = deadline
	}
	if err := n.storm(ctx, end); err != nil {
		return err
	}
	for _, maker := range n.measured() {
		if ctx.Err() != nil || time.Now().After(deadline) {
			return ctx.Err()
		}
		if err := n.alone(ctx, maker); err != nil {
			return err
		}
	}
	return nil
}

// measured are the faults that have a round's calm for themselves: some in every round, and the next few of a rotation.
func (n *Nemesis) measured() []faults.Maker {
	makers := append([]faults.Maker{}, everyRound...)
	for i := 0; i < rotatedPerRound; i++ {
		makers = append(makers, rotation[n.turn%len(rotation)])
		n.turn++
	}
	return makers
}

type running struct {
	fault faults.Fault
	event Event
	until time.Time
}

func (n *Nemesis) storm(ctx context.Context, end time.Time) error {
	var active []running
	for ctx.Err() == nil && time.Now().Before(end) {
		var err error
		if active, err = n.healDue(ctx, active, time.Now()); err != nil {
			return err
		}
		if len(active) < mostAtOnce {
			if started, ok := n.inject(ctx, pick(n.env.Random)(n.env), n.hold()); ok {
				active = append(active, started)
			}
		}
		sleep(ctx, time.Duration(n.env.Random.Int63n(int64(longestPause))))
	}
	if _, err := n.healDue(ctx, active, time.Now().Add(longestHold)); err != nil {
		return err
	}
	return n.recover(ctx)
}

func (n *Nemesis) hold() time.Duration {
	return shortestHold + time.Duration(n.env.Random.Int63n(int64(longestHold-shortestHold)))
}

// alone measures one fault by itself.
func (n *Nemesis) alone(ctx context.Context, maker faults.Maker) error {
	sleep(ctx, settle)
	fault := maker(n.env)
	if fault == nil {
		return nil
	}
	hold := aloneHold
	_, planned := fault.(faults.Planned)
	if planned {
		hold = 0
	}
	started, ok := n.inject(ctx, fault, hold)
	if !ok {
		return n.recover(ctx)
	}
	started.event.Alone, started.event.Planned = true, planned
	sleep(ctx, hold)
	if err := n.heal(ctx, started); err != nil {
		return err
	}
	return n.recover(ctx)
}

// inject is false when the fault did not happen; that is recorded, too.
func (n *Nemesis) inject(ctx context.Context, fault faults.Fault, hold time.Duration) (running, bool) {
	if fault == nil {
		return running{}, false
	}
	event := Event{Kind: fault.Kind(), Victims: names(fault.Victims()), Groups: groups(fault.Victims()), From: n.load.Now()}
	n.say("%s: %s", event.Kind, event.Victims)
	n.env.Claim(fault)
	if err := fault.Inject(ctx); err != nil {
		n.env.Release(fault)
		event.Refused, event.To = err.Error(), n.load.Now()
		n.say("%s did not happen: %v", event.Kind, err)
		n.Events = append(n.Events, event)
		return running{}, false
	}
	return running{fault, event, time.Now().Add(hold)}, true
}

func (n *Nemesis) healDue(ctx context.Context, active []running, now time.Time) ([]running, error) {
	var rest []running
	for _, r := range active {
		if r.until.After(now) {
			rest = append(rest, r)
		} else if err := n.heal(ctx, r); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

func (n *Nemesis) heal(ctx context.Context, r running) error {
	if err := r.fault.Heal(ctx); err != nil {
		return fmt.Errorf("healing %s of %s: %w", r.event.Kind, r.event.Victims, err)
	}
	n.env.Release(r.fault)
	r.event.To = n.load.Now()
	n.Events = append(n.Events, r.event)
	return nil
}

// recover waits until writes of every group are acknowledged and every server is ready again.
func (n *Nemesis) recover(ctx context.Context) error {
	healed, patience := n.load.Now(), cluster.NewPatience(progressLimit)
	for group := 1; group <= cluster.Groups; group++ {
		for !n.load.Acks.Since(group, healed) {
			if patience.Over() {
				return fmt.Errorf("no write of group %d was acknowledged within %s of the end of all faults", group, progressLimit)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			time.Sleep(pollStep)
		}
	}
	n.Recoveries = append(n.Recoveries, n.load.Now()-healed)
	if err := n.cluster.AwaitReady(ctx, readyLimit); err != nil {
		return fmt.Errorf("all faults are healed: %w", err)
	}
	sleep(ctx, settle)
	return nil
}

func names(servers []*cluster.Server) string {
	var all []string
	for _, s := range servers {
		all = append(all, s.Name)
	}
	return strings.Join(all, " ")
}

// groups of a fault's victims; all of them when no kv is named.
func groups(victims []*cluster.Server) []int {
	seen := map[int]bool{}
	for _, s := range victims {
		if s.Kind == cluster.KV {
			seen[s.Group] = true
		}
	}
	var found []int
	for group := 1; group <= cluster.Groups; group++ {
		if seen[group] || len(seen) == 0 {
			found = append(found, group)
		}
	}
	return found
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

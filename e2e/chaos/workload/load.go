package workload

import (
	"context"
	"fmt"
	"math/rand"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"eraftkdb/e2e/chaos/history"
)

const (
	clientsPerProxy = 12
	readers         = 8 // of the last reading
	readLimit       = 60 * time.Second
	mostWrong       = 20 // messages kept
)

// Load is the clients. Thread-safe, but for Start, Stop and ReadAll.
type Load struct {
	Acks   *Acks
	Stalls *Stalls

	proxies  []string
	begin    time.Time
	random   *rand.Rand
	subjects *subjects
	numbers  int64
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu       sync.Mutex
	counts   map[string]int // by outcome and reason
	failures []Failure
	wrong    []string
}

// Failure is an operation that did not get its answer.
type Failure struct {
	Call, Return int64
	Reason       string
}

// New makes a load on the proxies. The run begins now: all times count from here.
func New(proxies []string, seed int64) *Load {
	return &Load{Acks: &Acks{}, Stalls: &Stalls{}, proxies: proxies, begin: time.Now(), random: rand.New(rand.NewSource(seed)),
		subjects: newSubjects(), counts: map[string]int{}}
}

// Now is the time in the run.
func (l *Load) Now() time.Duration { return time.Since(l.begin) }

var kinds = []habits{{limit: patience}, {limit: impatience}, {limit: impatience, readsOnly: true}}

func (l *Load) now() int64 { return int64(l.Now()) }

func (l *Load) nextNumber() int { return int(atomic.AddInt64(&l.numbers, 1)) }

// Start runs the clients until Stop. A third of them is impatient: they give an answer up long before the proxy does. A third
// only reads.
func (l *Load) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.running.Add(1)
	go func() {
		defer l.running.Done()
		l.Stalls.watch(ctx, l.Now)
	}()
	for i := 0; i < clientsPerProxy*len(l.proxies); i++ {
		c := newClient(l, l.proxies[i%len(l.proxies)], l.random.Int63(), fmt.Sprintf("c%d", i+1), kinds[i%len(kinds)])
		l.running.Add(1)
		go func() {
			defer l.running.Done()
			c.run(ctx)
		}()
	}
}

// Stop ends the clients; what is under way is waited for.
func (l *Load) Stop() {
	l.cancel()
	l.running.Wait()
}

func (l *Load) count(group int, op history.Operation, outcome Outcome, reason string) {
	if outcome == Done && !op.Verb.Reads() {
		l.Acks.add(group, op.Return)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[label(outcome, reason)]++
	if outcome == Done {
		return
	}
	l.failures = append(l.failures, Failure{op.Call, op.Return, label(outcome, reason)})
	if outcome == Wrong && len(l.wrong) < mostWrong {
		l.wrong = append(l.wrong, fmt.Sprintf("%s on a %s was answered %q", op.Verb, op.Family, reason))
	}
}

func label(outcome Outcome, reason string) string {
	switch outcome {
	case Done:
		return "ok"
	case Unknown:
		return "unknown: " + reason
	case Refused:
		return "refused: " + reason
	}
	return "wrong: " + reason
}

// Counts are the operations so far, by outcome and reason.
func (l *Load) Counts() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	copied := map[string]int{}
	for k, v := range l.counts {
		copied[k] = v
	}
	return copied
}

// Wrong answers that clients got.
func (l *Load) Wrong() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string{}, l.wrong...)
}

// FailuresWithin counts, by reason, the failures of operations that were under way between two times.
func (l *Load) FailuresWithin(from, to time.Duration) map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := map[string]int{}
	for _, f := range l.failures {
		if f.Call <= int64(to) && f.Return >= int64(from) {
			counts[f.Reason]++
		}
	}
	return counts
}

// ReadAll reads every subject that there ever was once more, until each has an answer: what was acknowledged is there now, or it
// is lost. The cluster must be well, and the clients stopped.
func (l *Load) ReadAll() error {
	work := make(chan *subject)
	var failed int64
	var wg sync.WaitGroup
	deadline := time.Now().Add(readLimit)
	for i := 0; i < readers; i++ {
		c := newClient(l, l.proxies[i%len(l.proxies)], 0, "reader", habits{limit: patience})
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer c.redis.Close()
			for s := range work {
				if !c.readLast(s, deadline) {
					atomic.AddInt64(&failed, 1)
				}
			}
		}()
	}
	for _, s := range l.subjects.all {
		work <- s
	}
	close(work)
	wg.Wait()
	if failed > 0 {
		return fmt.Errorf("%d of %d subjects could not be read at the end", failed, len(l.subjects.all))
	}
	return nil
}

func (c *client) readLast(s *subject, deadline time.Time) bool {
	for {
		op := history.Operation{Subject: s.name, Family: s.family, Client: c.number, Verb: history.ReadOf(s.family), Call: c.load.now()}
		result, err := c.send(s, op)
		if err == nil {
			op.Result, op.Return = result, c.load.now()
			s.operations = append(s.operations, op)
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(afterRefusal)
	}
}

// History is all operations that may have been executed, in order of subjects. The clients must have stopped.
func (l *Load) History() []history.Operation {
	var all []history.Operation
	for _, s := range l.subjects.all {
		all = append(all, s.operations...)
	}
	return all
}

// Acks are the times of acknowledged writes, by group. Thread-safe.
type Acks struct {
	mu    sync.Mutex
	times map[int][]int64
}

func (a *Acks) add(group int, at int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.times == nil {
		a.times = map[int][]int64{}
	}
	times := append(a.times[group], at)
	for i := len(times) - 1; i > 0 && times[i] < times[i-1]; i-- {
		times[i], times[i-1] = times[i-1], times[i]
	}
	a.times[group] = times
}

// LongestGap is the longest time without an acknowledged write of the group, of those that begin in [from, to]; one that goes on
// until `now` counts as long as it is. What came before `from` does not count.
func (a *Acks) LongestGap(group int, from, to, now time.Duration) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	times := a.times[group]
	last, longest := from, time.Duration(0)
	for i := sort.Search(len(times), func(i int) bool { return times[i] > int64(from) }); ; i++ {
		next := now
		if i < len(times) {
			next = time.Duration(times[i])
		}
		if next-last > longest {
			longest = next - last
		}
		if last = next; i >= len(times) || last > to {
			return longest
		}
	}
}

// Since is true when a write of the group was acknowledged after that time.
func (a *Acks) Since(group int, at time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	times := a.times[group]
	return len(times) > 0 && times[len(times)-1] > int64(at)
}

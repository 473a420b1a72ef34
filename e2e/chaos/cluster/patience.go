package cluster

import "time"

// longestLapse is what one step of waiting can take by itself: more means that this program stood still, and so, most likely, did
// the whole machine.
const longestLapse = time.Second

// Patience is a limit on waiting that time does not count against in which this program stood still. Not thread-safe.
type Patience struct {
	left time.Duration
	last time.Time
}

// NewPatience starts now.
func NewPatience(limit time.Duration) *Patience { return &Patience{left: limit, last: time.Now()} }

// Over is to be asked at every step.
func (p *Patience) Over() bool {
	now := time.Now()
	lapse := now.Sub(p.last)
	if lapse > longestLapse {
		lapse = longestLapse
	}
	p.left -= lapse
	p.last = now
	return p.left < 0
}

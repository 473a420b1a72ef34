package cluster

import (
	"testing"
	"time"
)

func TestPatienceDoesNotCountStandstill(t *testing.T) {
	p := NewPatience(90 * time.Second)
	p.last = p.last.Add(-time.Hour)
	if p.Over() {
		t.Error("an hour in which nobody asked was counted")
	}
	for i := 0; i < 90; i++ {
		p.last = p.last.Add(-time.Second)
		p.Over()
	}
	if !p.Over() {
		t.Error("not over after 90 s of asking every second")
	}
}

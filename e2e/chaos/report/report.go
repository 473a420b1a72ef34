// Package report puts a run into a file that can be published, as Markdown and as JSON.
package report

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// Report of a run. Durations in JSON are milliseconds.
type Report struct {
	Verdict    string         `json:"verdict"` // "ok" or "FAILED"
	Failures   []string       `json:"failures,omitempty"`
	Skipped    []string       `json:"skipped,omitempty"` // what this machine does not permit
	Started    time.Time      `json:"started"`
	Seconds    float64        `json:"seconds"`
	Seed       int64          `json:"seed"`
	Versions   []string       `json:"versions"`
	Cluster    string         `json:"cluster"`
	Operations map[string]int `json:"operations"` // by outcome and reason
	Subjects   int            `json:"subjects"`
	Checked    int            `json:"checked"` // operations in the history
	Open       int            `json:"open"`    // of these
	Stalls     int            `json:"stalls"`  // times in which the machine stood still
	Stalled    float64        `json:"stalled_seconds"`
	Kinds      []Kind         `json:"faults"`
	Recovery   Spread         `json:"recovery_ms"` // from the end of all faults to a write in every group
	Targets    []Target       `json:"targets"`
	Rerun      string         `json:"rerun"`
	Recheck    string         `json:"recheck,omitempty"`
}

// Kind of fault: how often, and how long no write was acknowledged.
type Kind struct {
	Name     string         `json:"name"`
	Count    int            `json:"count"`
	Refused  int            `json:"refused,omitempty"` // could not be done
	Measured int            `json:"measured"`          // alone
	Gap      Spread         `json:"gap_ms"`            // of those measured
	Storm    Spread         `json:"storm_gap_ms"`      // of those that overlapped with others
	Stalled  int            `json:"stalled,omitempty"` // not measured: the machine stood still
	Planned  bool           `json:"planned,omitempty"`
	Errors   map[string]int `json:"client_errors,omitempty"` // of planned ones, measured
	Reasons  map[string]int `json:"refusals,omitempty"`
}

// Target is a figure that must hold.
type Target struct {
	What  string `json:"what"`
	Found string `json:"found"`
	Met   bool   `json:"met"`
}

// Spread of durations, nearest rank, in milliseconds.
type Spread struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// SpreadOf durations.
func SpreadOf(values []time.Duration) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	sorted := append([]time.Duration{}, values...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i] < sorted[j] })
	rank := func(q float64) float64 {
		at := int(math.Ceil(q*float64(len(sorted)))) - 1
		return math.Round(sorted[at].Seconds()*1e4) / 10
	}
	return Spread{len(sorted), rank(0.5), rank(0.99), rank(1)}
}

func (s Spread) String() string {
	if s.Count == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f / %.0f / %.0f", s.P50, s.P99, s.Max)
}

// Write makes report.json and report.md.
func (r *Report) Write(directory string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(directory, "report.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(directory, "report.md"), []byte(r.Markdown()), 0o644)
}

// Markdown is the report for readers.
func (r *Report) Markdown() string {
	var b strings.Builder
	p := func(format string, args ...interface{}) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# Chaos run: %s\n", r.Verdict)
	for _, f := range r.Failures {
		p("- **FAILED**: %s", f)
	}
	for _, s := range r.Skipped {
		p("- **SKIPPED**: %s", s)
	}
	p("\n%s. %.0f s from %s, seed %d.", r.Cluster, r.Seconds, r.Started.UTC().Format(time.RFC3339), r.Seed)
	p("%s.\n", strings.Join(r.Versions, "; "))
	p("Again: `%s`", r.Rerun)
	if r.Recheck != "" {
		p("\nJudge the history again: `%s`", r.Recheck)
	}
	r.operations(p)
	r.faults(p)
	r.targets(p)
	return b.String()
}

type printer func(format string, args ...interface{})

func (r *Report) operations(p printer) {
	p("\n## Operations\n\n%d operations on %d subjects were judged by Porcupine; %d were open: their outcome is unknown.\n",
		r.Checked, r.Subjects, r.Open)
	p("| outcome | operations |\n| --- | ---: |")
	for _, outcome := range sortedKeys(r.Operations) {
		p("| %s | %d |", outcome, r.Operations[outcome])
	}
}

func (r *Report) faults(p printer) {
	p("\n## Faults\n\nA gap is the longest time without an acknowledged write in a group that the fault touches. In ms, p50 / p99 / max. A fault")
	p("is held for 4 s when alone, and for 0.5 to 8 s in storms, where up to 3 overlap.\n")
	p("| fault | times | alone | gap alone | gap in storms |\n| --- | ---: | ---: | --- | --- |")
	for _, k := range r.Kinds {
		p("| %s | %d | %d | %s | %s |", k.Name, k.Count, k.Measured, k.Gap, k.Storm)
	}
	p("\nFrom the end of all faults to a write in every group: %s ms (p50 / p99 / max of %d).", r.Recovery, r.Recovery.Count)
	if r.Stalls > 0 {
		p("\nThe machine stood still %d times, %.1f s in all, as the program saw by its own clock; no gap or error of that time is counted.", r.Stalls, r.Stalled)
	}
	p("\n| planned, alone | times | client errors | gap p50 / p99 / max ms |\n| --- | ---: | --- | --- |")
	for _, k := range r.Kinds {
		if k.Planned && k.Measured > 0 {
			p("| %s | %d | %s | %s |", k.Name, k.Measured, Counts(k.Errors), k.Gap)
		}
	}
	for _, k := range r.Kinds {
		for _, reason := range sortedKeys(k.Reasons) {
			p("\n%s, %d times not done: %s", k.Name, k.Reasons[reason], reason)
		}
	}
}

func (r *Report) targets(p printer) {
	p("\n## Figures that must hold\n\n| figure | found | |\n| --- | --- | --- |")
	for _, t := range r.Targets {
		met := "**missed**"
		if t.Met {
			met = "met"
		}
		p("| %s | %s | %s |", t.What, t.Found, met)
	}
}

// Counts by reason in one line.
func Counts(counts map[string]int) string {
	if len(counts) == 0 {
		return "0"
	}
	var parts []string
	for _, reason := range sortedKeys(counts) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[reason], reason))
	}
	return strings.Join(parts, ", ")
}

func sortedKeys(m map[string]int) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

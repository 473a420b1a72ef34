package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"eraftkdb/e2e/chaos/cluster"
	"eraftkdb/e2e/chaos/history"
	"eraftkdb/e2e/chaos/nemesis"
	"eraftkdb/e2e/chaos/report"
	"eraftkdb/e2e/chaos/workload"
)

// A history with fewer acknowledged operations proves nothing.
const leastOperations = 1000

type options struct {
	build, binaries, dir string
	length               time.Duration
	seed                 int64
	keep, loopback       bool
	unconfined           string // why there are no namespaces; empty: there are
}

// run is one run from an empty directory to its report.
type run struct {
	options
	started time.Time
	report  report.Report
	cluster *cluster.Cluster
	load    *workload.Load
	nemesis *nemesis.Nemesis

	mu       sync.Mutex
	failures []string
}

func newRun(o options) *run { return &run{options: o, started: time.Now()} }

func (r *run) say(format string, args ...interface{}) {
	fmt.Printf("[%s] %s\n", time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
}

func (r *run) fail(format string, args ...interface{}) {
	text := fmt.Sprintf(format, args...)
	r.say("FAILED: %s", text)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, text)
}

func (r *run) failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

// play returns the exit code.
func (r *run) play(ctx context.Context) int {
	r.say("seed %d, %s, servers of %s", r.seed, r.length, r.binaries)
	if err := r.prepare(); err != nil {
		r.fail("%v", err)
		return exitFailed
	}
	defer r.cluster.KillAll()
	if err := r.cluster.Start(ctx); err != nil {
		r.fail("%v", err)
	} else {
		r.harm(ctx)
		r.judge(ctx)
	}
	return r.finish()
}

func (r *run) prepare() error {
	if err := os.RemoveAll(r.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return err
	}
	var network cluster.Network = cluster.Loopback{Reason: r.unconfined}
	var err error
	if r.unconfined == "" {
		if network, err = cluster.NewNamespaces(cluster.Hosts()); err != nil {
			return err
		}
	}
	r.skips(network)
	r.cluster, err = cluster.New(cluster.Options{Binaries: r.binaries, Ctl: filepath.Join(r.build, "bin", "kdbctl"),
		Dir: filepath.Join(r.dir, "cluster"), SmallDisks: r.unconfined == "", OnEnd: func(what string) { r.fail("%s", what) }}, network)
	return err
}

// skips says loudly what this machine does not permit.
func (r *run) skips(network cluster.Network) {
	wires, why := network.Wires()
	if wires == nil {
		r.report.Skipped = append(r.report.Skipped, "partitions, packet loss and delay, full disks: "+why)
	} else if err := wires.CanDelay(); err != nil {
		r.report.Skipped = append(r.report.Skipped, "packet delay: "+err.Error())
	}
	for _, s := range r.report.Skipped {
		r.say("SKIPPED: %s", s)
	}
}

// harm runs load and faults for the time that was asked for; it ends early at the first failure.
func (r *run) harm(ctx context.Context) {
	r.load = workload.New(r.cluster.ProxyAddresses(), r.seed)
	r.nemesis = nemesis.New(r.cluster, r.load, r.seed, r.say)
	r.load.Start()
	deadline := time.Now().Add(r.length)
	for ctx.Err() == nil && !r.failed() && time.Now().Before(deadline) {
		if err := r.nemesis.Round(ctx, deadline); err != nil {
			r.fail("%v", err)
		}
		r.say("operations: %s", report.Counts(r.load.Counts()))
	}
	r.load.Stop()
}

// judge reads all back, ends the servers, and asks the checkers.
func (r *run) judge(ctx context.Context) {
	if ctx.Err() != nil {
		r.fail("interrupted")
	}
	for _, wrong := range r.load.Wrong() {
		r.fail("a client got what nobody may get: %s", wrong)
	}
	if !r.failed() {
		if err := r.load.ReadAll(); err != nil {
			r.fail("%v", err)
		}
		for _, err := range r.cluster.Stop() {
			r.fail("%v", err)
		}
	}
	r.scanLogs()
	operations := r.load.History()
	r.report.Operations = r.load.Counts()
	if ok := r.report.Operations["ok"]; !r.failed() && ok < leastOperations {
		r.fail("%d operations were acknowledged: fewer than %d prove nothing", ok, leastOperations)
	}
	r.say("judging %d operations", len(operations))
	verdict := history.Check(operations, r.dir)
	for _, violation := range verdict.Violations {
		r.fail("%s", violation)
	}
	r.report.Subjects, r.report.Checked, r.report.Open = verdict.Subjects, verdict.Operations, verdict.Open
	r.keepHistory(operations)
}

func (r *run) keepHistory(operations []history.Operation) {
	if !r.failed() && !r.keep {
		return
	}
	path := filepath.Join(r.dir, "history.jsonl.gz")
	if err := history.Write(path, operations); err != nil {
		r.fail("%v", err)
	}
	r.report.Recheck = fmt.Sprintf("cd e2e/chaos && go run . check %s", path)
}

// What a server says when something went wrong that must not: critical log lines, failed checks, sanitizers, aborts.
var fatal = regexp.MustCompile(`^\S+Z C |check failed: |ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|: runtime error: |terminate called`)

func (r *run) scanLogs() {
	logs, _ := filepath.Glob(filepath.Join(r.cluster.Dir, "logs", "*.log"))
	for _, path := range logs {
		file, err := os.Open(path)
		if err != nil {
			r.fail("%v", err)
			continue
		}
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if fatal.MatchString(lines.Text()) {
				r.fail("%s: %s", filepath.Base(path), lines.Text())
			}
		}
		file.Close()
	}
}

// finish writes the report and returns the exit code.
func (r *run) finish() int {
	r.report.Verdict = "ok"
	r.report.Failures = r.failures
	if r.failed() {
		r.report.Verdict = "FAILED"
	}
	r.report.Started, r.report.Seconds, r.report.Seed = r.started, time.Since(r.started).Seconds(), r.seed
	r.report.Versions = r.versions()
	r.report.Cluster = fmt.Sprintf("%d kdb-meta, %d groups of %d kdb-kv, %d kdb-proxy, each on a host of its own",
		cluster.Members, cluster.Groups, cluster.Members, cluster.Proxies)
	r.report.Rerun = fmt.Sprintf("make chaos MINUTES=%g SEED=%d", r.length.Minutes(), r.seed)
	if r.nemesis != nil {
		stalls, total := r.load.Stalls.All()
		r.report.Stalls, r.report.Stalled = stalls, total.Seconds()
		r.report.Kinds = report.KindsOf(r.nemesis.Events, r.load)
		r.report.Targets = report.TargetsOf(r.report.Kinds)
		r.report.Recovery = report.SpreadOf(r.nemesis.Recoveries)
	}
	if err := r.report.Write(r.dir); err != nil {
		r.fail("%v", err)
	}
	fmt.Println(r.report.Markdown())
	r.say("%s; report: %s", r.report.Verdict, filepath.Join(r.dir, "report.md"))
	if r.failed() {
		r.say("kept: %s", r.dir)
		return exitFailed
	}
	return 0
}

func (r *run) versions() []string {
	versions := []string{runtime.Version(), fmt.Sprintf("%d processors", runtime.NumCPU())}
	for _, argv := range [][]string{{filepath.Join(r.binaries, "kdb-kv"), "--version"}, {"uname", "-sr"},
		{"git", "-C", r.build, "log", "-1", "--format=commit %h"}} {
		if out, err := exec.Command(argv[0], argv[1:]...).Output(); err == nil {
			versions = append(versions, strings.TrimSpace(string(out)))
		}
	}
	return versions
}

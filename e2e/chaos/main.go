// chaos runs an ERaftKDB cluster of real processes under load and faults, and judges what clients saw.
//
//	chaos run --build build/release --minutes 3     the report is in DIR/report.md and report.json
//	chaos check HISTORY                             judges a kept history again
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"eraftkdb/e2e/chaos/history"
	"eraftkdb/e2e/chaos/sandbox"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	switch os.Args[1] {
	case "run":
		os.Exit(runCommand(os.Args[2:]))
	case "check":
		os.Exit(checkCommand(os.Args[2:]))
	}
	usage()
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: chaos run [flags]; chaos check HISTORY; see chaos run --help")
	os.Exit(exitUsage)
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("chaos run", flag.ExitOnError)
	flags.StringVar(&o.build, "build", "build/release", "CMake's build directory")
	flags.StringVar(&o.binaries, "binaries", "", "directory of the servers' programs (default: bin in --build)")
	flags.StringVar(&o.dir, "dir", "build/chaos", "where the report goes, and data and logs while it runs; it is emptied first")
	flags.DurationVar(&o.length, "length", 0, "of the faults, as in 90s; instead of --minutes")
	minutes := flags.Float64("minutes", 3, "of the faults")
	flags.Int64Var(&o.seed, "seed", time.Now().UnixNano()%1e9, "of all choices")
	flags.BoolVar(&o.loopback, "loopback", false, "without namespaces of its own: no partitions, no full disks")
	flags.BoolVar(&o.keep, "keep", false, "keep data, logs and history of a success, too")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.length == 0 {
		o.length = time.Duration(*minutes * float64(time.Minute))
	}
	if o.binaries == "" {
		o.binaries = filepath.Join(o.build, "bin")
	}
	for _, path := range []*string{&o.build, &o.binaries, &o.dir} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return o, err
		}
		*path = absolute
	}
	return o, nil
}

func runCommand(args []string) int {
	o, err := parse(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	if o.loopback {
		o.unconfined = "--loopback was given"
	} else if !sandbox.Inside() {
		code, err := sandbox.Run(append(args, fmt.Sprintf("--seed=%d", o.seed)))
		if err == nil {
			return code
		}
		o.unconfined = err.Error()
	} else if err := sandbox.Prepare(); err != nil {
		o.unconfined = err.Error()
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	return newRun(o).play(ctx)
}

func checkCommand(args []string) int {
	if len(args) != 1 {
		usage()
	}
	operations, err := history.Read(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	verdict := history.Check(operations, filepath.Dir(args[0]))
	fmt.Printf("%d operations on %d subjects, %d open\n", verdict.Operations, verdict.Subjects, verdict.Open)
	for _, violation := range verdict.Violations {
		fmt.Println("FAILED:", violation)
	}
	if len(verdict.Violations) > 0 {
		return exitFailed
	}
	fmt.Println("ok")
	return 0
}

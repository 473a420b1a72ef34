package history

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// Verdict of a whole history.
type Verdict struct {
	Subjects   int
	Operations int
	Open       int
	Violations []string // one a subject; empty: every subject is linearizable
}

const checkLimit = time.Minute // for one subject

// Check judges every subject by itself, on at most half of the processors: the cluster may still run. What is not linearizable
// is drawn into a page below `directory`.
func Check(operations []Operation, directory string) Verdict {
	parts := BySubject(operations)
	verdict := Verdict{Subjects: len(parts), Operations: len(operations)}
	for _, op := range operations {
		if op.Return == Open {
			verdict.Open++
		}
	}
	subjects := make(chan []Operation)
	var mu sync.Mutex
	var workers sync.WaitGroup
	for i := 0; i < (runtime.NumCPU()+1)/2; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for part := range subjects {
				if violation := checkSubject(part, directory); violation != "" {
					mu.Lock()
					verdict.Violations = append(verdict.Violations, violation)
					mu.Unlock()
				}
			}
		}()
	}
	for _, part := range parts {
		subjects <- part
	}
	close(subjects)
	workers.Wait()
	sort.Strings(verdict.Violations)
	return verdict
}

func checkSubject(part []Operation, directory string) string {
	name := part[0].Subject
	var events []porcupine.Operation
	for _, op := range part {
		events = append(events, porcupine.Operation{ClientId: op.Client, Input: op, Call: op.Call, Return: op.Return})
	}
	family := model(part[0].Family)
	result, info := porcupine.CheckOperationsVerbose(family, events, checkLimit)
	why := account(part)
	if result == porcupine.Ok && why == "" {
		return ""
	}
	page := filepath.Join(directory, "violation-"+name+".html")
	if err := draw(family, info, page); err != nil {
		page = err.Error()
	}
	switch {
	case result == porcupine.Illegal:
		return fmt.Sprintf("%s is not linearizable (%s): %s", name, page, strings.TrimPrefix(why+"; "+firstAndLast(part), "; "))
	case result == porcupine.Ok:
		return fmt.Sprintf("%s: porcupine finds nothing wrong, but %s", name, why)
	}
	return fmt.Sprintf("%s could not be judged within %s: %d operations", name, checkLimit, len(part))
}

func draw(family porcupine.Model, info porcupine.LinearizationInfo, path string) error {
	page, err := os.Create(path)
	if err != nil {
		return err
	}
	defer page.Close()
	return porcupine.Visualize(family, info, page)
}

func firstAndLast(part []Operation) string {
	last := part[len(part)-1]
	return fmt.Sprintf("%d operations, the last one is %s %s: %s", len(part), last.Verb, last.Argument, last.Result)
}

// account is a second opinion on counters and logs, by arithmetic: what the last read must and may show. It needs a last read
// that began after all else was answered. Empty: nothing is wrong.
func account(part []Operation) string {
	last := part[len(part)-1]
	if !last.Verb.Reads() || last.Return == Open {
		return ""
	}
	for _, op := range part[:len(part)-1] {
		if op.Return != Open && op.Return > last.Call {
			return ""
		}
	}
	switch part[0].Family {
	case Counter:
		return accountCounter(part, last.Result)
	case Log:
		return accountLog(part, last.Result)
	}
	return ""
}

func accountCounter(part []Operation, final string) string {
	value, _ := strconv.Atoi(final)
	acknowledged, open := 0, 0
	for _, op := range part {
		if op.Verb == Increment && op.Return == Open {
			open++
		} else if op.Verb == Increment {
			acknowledged++
		}
	}
	if value < acknowledged {
		return fmt.Sprintf("%d acknowledged INCR are lost: %d were acknowledged, the last GET says %d", acknowledged-value, acknowledged, value)
	}
	if value > acknowledged+open {
		return fmt.Sprintf("INCR were done twice: %d acknowledged, %d open, the last GET says %d", acknowledged, open, value)
	}
	return ""
}

func accountLog(part []Operation, final string) string {
	count := map[string]int{}
	for _, token := range strings.SplitAfter(strings.TrimPrefix(final, None), ",") {
		count[token]++
	}
	for _, op := range part {
		if op.Verb != Append {
			continue
		}
		if op.Return != Open && count[op.Argument] == 0 {
			return fmt.Sprintf("the acknowledged APPEND of %s is lost", op.Argument)
		}
		if count[op.Argument] > 1 {
			return fmt.Sprintf("the APPEND of %s was done %d times", op.Argument, count[op.Argument])
		}
	}
	return ""
}

package history

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// op is an operation of client 1 on subject "s".
func op(family Family, verb Verb, argument, result string, call, end int64) Operation {
	return Operation{Subject: "s", Family: family, Client: 1, Verb: verb, Argument: argument, Result: result, Call: call, Return: end}
}

func violations(t *testing.T, operations ...Operation) string {
	t.Helper()
	return strings.Join(Check(operations, t.TempDir()).Violations, "\n")
}

func expectOK(t *testing.T, operations ...Operation) {
	t.Helper()
	if found := violations(t, operations...); found != "" {
		t.Errorf("a right history is refused: %s", found)
	}
}

func expectViolation(t *testing.T, part string, operations ...Operation) {
	t.Helper()
	if found := violations(t, operations...); !strings.Contains(found, part) {
		t.Errorf("want a violation with %q, got %q", part, found)
	}
}

func TestRegister(t *testing.T) {
	set := op(Register, Set, "a", "OK", 1, 2)
	expectOK(t, op(Register, Get, "", None, 0, 1), set, op(Register, Get, "", "a", 3, 4), op(Register, Delete, "", "1", 5, 6),
		op(Register, Delete, "", "0", 7, 8), op(Register, Get, "", None, 9, 10))
	expectViolation(t, "not linearizable", set, op(Register, Get, "", None, 3, 4))
	expectViolation(t, "not linearizable", set, op(Register, Get, "", "b", 3, 4))
}

func TestStaleReadIsFound(t *testing.T) {
	expectViolation(t, "not linearizable", op(Register, Set, "a", "OK", 1, 2), op(Register, Set, "b", "OK", 3, 4),
		op(Register, Get, "", "a", 5, 6))
}

func TestOpenOperationMayHappenLateOrNever(t *testing.T) {
	open := op(Register, Set, "a", "", 1, Open)
	expectOK(t, open, op(Register, Get, "", None, 3, 4))
	expectOK(t, open, op(Register, Get, "", None, 3, 4), op(Register, Get, "", "a", 5, 6))
	expectViolation(t, "not linearizable", open, op(Register, Get, "", "a", 3, 4), op(Register, Get, "", None, 5, 6))
	expectViolation(t, "not linearizable", op(Register, Get, "", "a", 0, 1), op(Register, Set, "a", "", 2, Open))
}

func TestCounter(t *testing.T) {
	one, open := op(Counter, Increment, "", "1", 1, 2), op(Counter, Increment, "", "", 1, Open)
	expectOK(t, one, op(Counter, Get, "", "1", 3, 4))
	expectOK(t, one, open, op(Counter, Get, "", "2", 3, 4))
	expectViolation(t, "acknowledged INCR are lost", one, op(Counter, Increment, "", "2", 3, 4), op(Counter, Get, "", "1", 5, 6))
	expectViolation(t, "done twice", one, open, op(Counter, Get, "", "3", 5, 6))
}

func TestLog(t *testing.T) {
	first, open := op(Log, Append, "a1,", "3", 1, 2), op(Log, Append, "b1,", "", 1, Open)
	expectOK(t, first, open, op(Log, Get, "", "a1,b1,", 3, 4), op(Log, Append, "c1,", "9", 5, 6))
	expectViolation(t, "APPEND of a1, is lost", first, open, op(Log, Get, "", "b1,", 3, 4))
	expectViolation(t, "done 2 times", first, op(Log, Get, "", "a1,a1,", 3, 4))
}

func TestPairIsAtomic(t *testing.T) {
	both := op(Pair, SetBoth, "x", "OK", 1, 2)
	expectOK(t, both, op(Pair, SetSecond, "y", "OK", 3, 4), op(Pair, GetBoth, "", "x|y", 5, 6))
	expectViolation(t, "not linearizable", op(Pair, SetBoth, "x", "", 1, Open), op(Pair, GetBoth, "", "x|(nil)", 3, 4))
}

func TestHistoryFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl.gz")
	want := []Operation{op(Register, Set, "a", "OK", 1, 2), op(Counter, Increment, "", "", 1, Open)}
	if err := Write(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %v, %v; want %v", got, err, want)
	}
}

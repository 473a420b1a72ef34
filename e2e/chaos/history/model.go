package history

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/anishathalye/porcupine"
)

// Family says what a subject is: which verbs it has and what they do.
type Family string

// The families. A subject is a key, or the two keys of a pair, which are in one slot.
const (
	Register Family = "register" // Set, Get, Delete
	Counter  Family = "counter"  // Increment, Get
	Log      Family = "log"      // Append, Get
	Pair     Family = "pair"     // SetBoth, GetBoth, SetFirst, SetSecond
)

// Families in a fixed order.
var Families = []Family{Register, Counter, Log, Pair}

// Verb is a command.
type Verb string

// The verbs.
const (
	Get       Verb = "GET"
	Set       Verb = "SET"
	Delete    Verb = "DEL"
	Increment Verb = "INCR"
	Append    Verb = "APPEND"
	SetBoth   Verb = "MSET"
	GetBoth   Verb = "MGET"
	SetFirst  Verb = "SET first"
	SetSecond Verb = "SET second"
)

// Reads is true of verbs that change nothing.
func (v Verb) Reads() bool { return v == Get || v == GetBoth }

// ReadOf is the verb that reads all of a subject.
func ReadOf(family Family) Verb {
	if family == Pair {
		return GetBoth
	}
	return Get
}

// None stands for a key that does not exist. Values have neither parentheses nor bars.
const None = "(nil)"

// Both is a pair's state, and the result of GetBoth.
func Both(first, second string) string { return first + "|" + second }

func initial(family Family) string {
	if family == Pair {
		return Both(None, None)
	}
	return None
}

// apply is the whole specification: what a command makes of a subject, and what it answers.
func apply(state string, verb Verb, argument string) (next, result string) {
	switch verb {
	case Get, GetBoth:
		return state, state
	case Set:
		return argument, "OK"
	case Delete:
		if state == None {
			return None, "0"
		}
		return None, "1"
	case Increment:
		n, _ := strconv.ParseInt(state, 10, 64) // of None: 0
		next = strconv.FormatInt(n+1, 10)
		return next, next
	case Append:
		next = strings.TrimPrefix(state, None) + argument
		return next, strconv.Itoa(len(next))
	}
	first, second, _ := strings.Cut(state, "|")
	switch verb {
	case SetBoth:
		return Both(argument, argument), "OK"
	case SetFirst:
		return Both(argument, second), "OK"
	case SetSecond:
		return Both(first, argument), "OK"
	}
	return state, fmt.Sprintf("unknown verb %s", verb)
}

// model is for porcupine, which calls Step with an Operation as input and nothing as output.
func model(family Family) porcupine.Model {
	return porcupine.Model{
		Init: func() interface{} { return initial(family) },
		Step: func(state, input, _ interface{}) (bool, interface{}) {
			op := input.(Operation)
			next, result := apply(state.(string), op.Verb, op.Argument)
			return op.Return == Open || result == op.Result, next
		},
		DescribeOperation: func(input, _ interface{}) string {
			op := input.(Operation)
			if op.Return == Open {
				return fmt.Sprintf("%s %s: ?", op.Verb, op.Argument)
			}
			return fmt.Sprintf("%s %s: %s", op.Verb, op.Argument, op.Result)
		},
		DescribeState: func(state interface{}) string { return state.(string) },
	}
}

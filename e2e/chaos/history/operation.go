// Package history holds what clients did and saw, and judges it.
package history

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sort"
)

// Open is the Return of an operation that may take effect at any time after its Call, or never.
const Open = int64(math.MaxInt64)

// Operation is one command on one subject.
type Operation struct {
	Subject  string `json:"subject"`
	Family   Family `json:"family"`
	Client   int    `json:"client"`
	Verb     Verb   `json:"verb"`
	Argument string `json:"argument,omitempty"`
	Result   string `json:"result,omitempty"` // not of an open one
	Call     int64  `json:"call"`             // nanoseconds since the run began
	Return   int64  `json:"return"`
}

// Write puts a history into a file, an operation a line, compressed.
func Write(path string, operations []Operation) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, file.Close()) }()
	compressed := gzip.NewWriter(file)
	encoder := json.NewEncoder(compressed)
	for i := range operations {
		if err := encoder.Encode(&operations[i]); err != nil {
			return err
		}
	}
	return compressed.Close()
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// Read is the inverse of Write.
func Read(path string) ([]Operation, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	decoder := json.NewDecoder(bufio.NewReader(plain))
	var operations []Operation
	for {
		var op Operation
		if err := decoder.Decode(&op); errors.Is(err, io.EOF) {
			return operations, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: operation %d: %w", path, len(operations)+1, err)
		}
		operations = append(operations, op)
	}
}

// BySubject splits a history; each part is in order of the calls.
func BySubject(operations []Operation) map[string][]Operation {
	parts := map[string][]Operation{}
	for _, op := range operations {
		parts[op.Subject] = append(parts[op.Subject], op)
	}
	for _, part := range parts {
		part := part
		sort.Slice(part, func(i, j int) bool { return part[i].Call < part[j].Call })
	}
	return parts
}

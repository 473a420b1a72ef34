package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const adminLimit = 3 * time.Second // of a call that may meet a broken cluster

// Admin runs kdbctl and returns what it printed. An error has what it said.
func (c *Cluster) Admin(ctx context.Context, limit time.Duration, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit+adminLimit)
	defer cancel()
	full := append([]string{"--meta", strings.Join(c.addresses(Meta, 0), ","), "--timeout",
		fmt.Sprint(int(limit.Seconds()))}, args...)
	command := exec.CommandContext(ctx, c.Ctl, full...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("kdbctl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// MemberID is the id that a kv has in its group, as the catalog knows it.
func (c *Cluster) MemberID(ctx context.Context, s *Server) (uint64, error) {
	text, err := c.Admin(ctx, adminLimit, "-o", "json", "shard", "query")
	if err != nil {
		return 0, err
	}
	var groups []struct {
		Gid     int
		Members []struct {
			ID      uint64
			Address string
		}
	}
	if err := json.Unmarshal([]byte(text), &groups); err != nil {
		return 0, fmt.Errorf("kdbctl shard query: %w", err)
	}
	for _, group := range groups {
		for _, member := range group.Members {
			if member.Address == s.Address {
				return member.ID, nil
			}
		}
	}
	return 0, fmt.Errorf("the catalog has no member at %s (%s)", s.Address, s.Name)
}

// TransferLeader makes a kv lead its group.
func (c *Cluster) TransferLeader(ctx context.Context, to *Server) error {
	id, err := c.MemberID(ctx, to)
	if err != nil {
		return err
	}
	_, err = c.Admin(ctx, adminLimit, "transfer-leader", fmt.Sprint(to.Group), fmt.Sprint(id))
	return err
}

package cluster

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Kind of a server.
type Kind string

// The kinds.
const (
	Meta  Kind = "meta"
	KV    Kind = "kv"
	Proxy Kind = "proxy"
)

const (
	serverPort = 7000
	adminPort  = 7001
	probeLimit = 500 * time.Millisecond
)

// From SIGTERM to the end of the process; a proxy drains for up to 10 s.
var stopLimit = Scaled(30 * time.Second)

// Server is one process of the cluster, which may be started many times. Thread-safe; Start, Kill and Stop block.
type Server struct {
	Name    string
	Kind    Kind
	Group   int // of a kv
	Host    int
	Address string
	Admin   string
	Dir     string // its disk; the data are in Data()
	LogPath string

	network Network
	argv    []string
	onEnd   func(string) // told when the process ends although nobody ended it

	mu      sync.Mutex
	process *os.Process
	ended   chan struct{} // closed when process was waited for
	code    string        // how it ended
	wanted  bool          // it may end now
}

// Data is the server's data directory.
func (s *Server) Data() string { return s.Dir + "/data" }

// Start runs the server. It must not be running.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return fmt.Errorf("%s runs already", s.Name)
	}
	log, err := os.OpenFile(s.LogPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	command := s.network.Command(s.Host, s.argv...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		return err
	}
	s.process, s.ended, s.wanted = command.Process, make(chan struct{}), false
	go s.wait(command, s.ended)
	return nil
}

func (s *Server) wait(command *exec.Cmd, ended chan struct{}) {
	_ = command.Wait()
	s.mu.Lock()
	s.process, s.code = nil, command.ProcessState.String()
	wanted := s.wanted
	s.mu.Unlock()
	if !wanted {
		s.onEnd(fmt.Sprintf("%s ended by itself: %s; its last words: %s", s.Name, command.ProcessState, s.lastWords()))
	}
	close(ended)
}

// signal returns the channel that the process' end closes; nil: it does not run.
func (s *Server) signal(number syscall.Signal, ends bool) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	s.wanted = s.wanted || ends
	_ = s.process.Signal(number)
	return s.ended
}

// Kill is SIGKILL, until the process is gone.
func (s *Server) Kill() {
	if ended := s.signal(syscall.SIGKILL, true); ended != nil {
		<-ended
	}
}

// Stop is SIGTERM. An error: the server did not end in time, or not with exit code 0.
func (s *Server) Stop() error {
	ended := s.signal(syscall.SIGTERM, true)
	if ended == nil {
		return nil
	}
	for patience := NewPatience(stopLimit); s.Running(); {
		select {
		case <-ended:
		case <-time.After(pollStep):
		}
		if patience.Over() {
			s.Kill()
			return fmt.Errorf("%s did not end within %s of SIGTERM", s.Name, stopLimit)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.code != "exit status 0" {
		return fmt.Errorf("%s ended with %s after SIGTERM", s.Name, s.code)
	}
	return nil
}

// Pause is SIGSTOP.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP, false) }

// Resume is SIGCONT.
func (s *Server) Resume() { s.signal(syscall.SIGCONT, false) }

// Running is true from Start until the process has ended.
func (s *Server) Running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process != nil
}

// Live is the answer of /livez: the server has started.
func (s *Server) Live() bool {
	status, _ := s.get("/livez")
	return status == http.StatusOK
}

// Ready is the answer of /readyz.
func (s *Server) Ready() bool {
	status, _ := s.get("/readyz")
	return status == http.StatusOK
}

// Leads says whether the server believes that it leads its group.
func (s *Server) Leads() bool {
	_, metrics := s.get("/metrics")
	lines := bufio.NewScanner(strings.NewReader(metrics))
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "kdb_raft_is_leader") {
			return strings.HasSuffix(lines.Text(), " 1")
		}
	}
	return false
}

// get returns status 0 when nobody answers.
func (s *Server) get(path string) (int, string) {
	ctx, cancel := context.WithTimeout(context.Background(), probeLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Admin+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer reply.Body.Close()
	body, _ := io.ReadAll(reply.Body)
	return reply.StatusCode, string(body)
}

// Condition is for messages: why the server is not ready.
func (s *Server) Condition() string {
	if !s.Running() {
		return s.Name + " does not run"
	}
	status, body := s.get("/readyz")
	return fmt.Sprintf("%s: /readyz %d %s", s.Name, status, strings.TrimSpace(body))
}

func (s *Server) lastWords() string {
	text, err := os.ReadFile(s.LogPath)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) > 3 {
		lines = lines[len(lines)-3:]
	}
	return strings.Join(lines, " | ")
}

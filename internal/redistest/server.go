package redistest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Names of the files in a server's directory.
const (
	confName = "redis.conf"
	logName  = "redis.log"
	outName  = "redis.out" // what it prints before the log is open
)

// bindAttempts is how often a server is given another port when somebody else
// took its own between the choice and the bind.
const bindAttempts = 5

var (
	errNotInstalled = errors.New("redis-server not found: apt-get install redis-server redis-tools")
	errPortTaken    = errors.New("port taken by another process")
)

// Server is one redis-server process. It keeps its address and its directory
// over a Restart. All methods may be called from several goroutines.
type Server struct {
	cfg config
	at  place

	mu   sync.Mutex
	proc *process
}

// StartServer starts a standalone server for one test and stops it at the end.
func StartServer(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	s, err := startServer(newConfig(opts))
	if err != nil {
		tb.Fatalf("redistest: start server: %v", err)
	}
	tb.Cleanup(s.close)
	return s
}

// startServer starts a server and, for a replica, waits until it is in sync.
func startServer(cfg config) (*Server, error) {
	s, err := start(cfg)
	if err != nil || cfg.master == nil {
		return s, err
	}
	if err := waitFor(serverTimeout, func() error { return inSync(cfg.master, s) }); err != nil {
		defer s.close()
		return nil, fmt.Errorf("replica of %s: %w\n%s", cfg.master.Addr(), err, s.LogTail())
	}
	return s, nil
}

// start starts one process of any kind and returns when it answers.
func start(cfg config) (*Server, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, errNotInstalled
	}
	var err error
	for range bindAttempts {
		var s *Server
		if s, err = startOnce(cfg); err == nil {
			return s, nil
		}
		if !errors.Is(err, errPortTaken) {
			break
		}
	}
	return nil, err
}

func startOnce(cfg config) (*Server, error) {
	s := &Server{cfg: cfg}
	err := s.settle()
	if err == nil {
		err = s.run()
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// settle finds the ports and makes the directory with the configuration file.
func (s *Server) settle() error {
	var err error
	if s.at.port, err = ports.reserve(); err != nil {
		return err
	}
	if s.at.busPort, err = ports.reserve(); err != nil {
		return err
	}
	if s.at.dir, err = os.MkdirTemp("", "redistest-"); err != nil {
		return err
	}
	file := filepath.Join(s.at.dir, confName)
	return os.WriteFile(file, []byte(s.cfg.render(s.at)), 0o600)
}

// run starts the process and waits until it answers.
func (s *Server) run() error {
	var args []string
	if s.cfg.watch != nil {
		args = append(args, "--sentinel")
	}
	p, err := launch(s.at.dir, args...)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.proc = p
	s.mu.Unlock()
	return s.waitReady(p)
}

func (s *Server) waitReady(p *process) error {
	client := s.adminClient()
	defer client.Close()
	err := waitFor(serverTimeout, func() error {
		if !p.alive() {
			return hopeless{errors.New("redis-server ended at once")}
		}
		return answers(client, p.pid())
	})
	if err == nil {
		return nil
	}
	log := s.LogTail()
	if !p.alive() && strings.Contains(log, "Address already in use") {
		err = errPortTaken
	}
	return fmt.Errorf("redis-server on %s: %w\n%s", s.Addr(), err, log)
}

// close kills the server and removes all it left.
func (s *Server) close() {
	s.Kill()
	ports.release(s.at.port)
	ports.release(s.at.busPort)
	if s.at.dir != "" {
		_ = os.RemoveAll(s.at.dir)
	}
}

// process returns the current process, nil before the first start.
func (s *Server) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

// running says whether the server has a process; it may be paused.
func (s *Server) running() bool {
	p := s.process()
	return p != nil && p.alive()
}

// Addr is the address of the server, host:port.
func (s *Server) Addr() string { return joinAddr(s.at.port) }

// PID is the number of the current process, also after it has ended.
func (s *Server) PID() int {
	if p := s.process(); p != nil {
		return p.pid()
	}
	return 0
}

// Kill ends the server with SIGKILL and waits for its end. It does nothing if
// the server is down.
func (s *Server) Kill() {
	if p := s.process(); p != nil {
		p.kill()
	}
}

// Stop ends the server with SIGTERM and waits for its end, 15 s at most; then
// it kills it. A paused server is resumed for it.
func (s *Server) Stop() {
	if p := s.process(); p != nil {
		p.stop()
	}
}

// Pause holds the server with SIGSTOP: it keeps its connections and answers
// nothing until Resume.
func (s *Server) Pause() {
	if p := s.process(); p != nil {
		p.pause()
	}
}

// Resume lets a paused server go on.
func (s *Server) Resume() {
	if p := s.process(); p != nil {
		p.resume()
	}
}

// Restart starts the server again on the same port, with the same directory
// and configuration. A server that still runs is killed first.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	s.Kill()
	if err := s.run(); err != nil {
		tb.Fatalf("redistest: restart: %v", err)
	}
}

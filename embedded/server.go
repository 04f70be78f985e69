// Package embedded runs a Redis server inside the process, without anything to
// install.
//
// It is for demonstrations, examples and quick tests of code that uses the
// library. It is not a Redis for production and not a judge of Lua scripts: it
// has no Cluster and no Sentinel, it formats numbers and errors in scripts in
// its own way, it accepts scripts that a Cluster refuses, it is many times
// slower, and it serves one process whose data is lost at Close. What must hold
// on Redis has to be tested on Redis.
package embedded

import (
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// Up to exactKeys keys expire to the millisecond: before each command the server
// looks at all of them. With more that would take most of its time, so its clock
// then moves in steps, one per step or, with very many keys, less often. A step
// that began before a key was set counts for the key in full.
const (
	exactKeys   = 500
	step        = 10 * time.Millisecond
	longestStep = 100 * time.Millisecond
)

// Server is a running in-process server. Its methods may be called from several
// goroutines.
type Server struct {
	mini *miniredis.Miniredis
	addr string
	stop sync.Once
	end  chan struct{}
	done sync.WaitGroup
}

// Option changes how the server is started.
type Option func(*options)

type options struct{ password string }

// WithPassword makes the server ask for a password.
func WithPassword(password string) Option {
	return func(o *options) { o.password = password }
}

// Start starts a server on a free port of 127.0.0.1. Keys expire by the real
// clock; with more than 500 of them up to about 0.1 s early. Call Close when
// done with it.
func Start(opts ...Option) (*Server, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	mini := miniredis.NewMiniRedis()
	mini.RequireAuth(o.password) // an empty one asks for none
	if err := mini.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("embedded redis: %w", err)
	}
	mini.ClockTTL(true)
	s := &Server{mini: mini, addr: mini.Addr(), end: make(chan struct{})}
	s.done.Go(s.runClock)
	return s, nil
}

// runClock chooses how the clock moves, and moves it in steps if need be.
func (s *Server) runClock() {
	pause, last, stepping := step, time.Now(), false
	for {
		select {
		case <-s.end:
			return
		case <-time.After(pause):
		}
		begin := time.Now()
		if stepping {
			s.mini.FastForward(begin.Sub(last))
		}
		last = begin
		if many := len(s.mini.Keys()) > exactKeys; many != stepping {
			stepping = many
			s.mini.ClockTTL(!many)
		}
		pause = min(max(step, 10*time.Since(begin)), longestStep) // leave most of the time to the commands
	}
}

// Addr is the address of the server, host:port, also after Close.
func (s *Server) Addr() string { return s.addr }

// Close stops the server, cuts its connections and drops its data. Only the
// first call does something. The error is always nil; it is there for io.Closer.
func (s *Server) Close() error {
	s.stop.Do(func() {
		close(s.end)
		s.done.Wait()
		s.mini.Close()
	})
	return nil
}

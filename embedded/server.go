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

// Tick is how often the server's clock moves; with very many keys it moves less
// often. A key may expire early by as much, since a step that began before the
// key was set counts in full.
const Tick = 10 * time.Millisecond

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
// clock, to within one [Tick]. Call Close when done with it.
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
	s := &Server{mini: mini, addr: mini.Addr(), end: make(chan struct{})}
	s.done.Go(s.runClock)
	return s, nil
}

// runClock lets the time to live of keys pass. The server can do so by itself,
// but then it goes through all its keys with every command.
func (s *Server) runClock() {
	pause := Tick
	for last := time.Now(); ; {
		select {
		case <-s.end:
			return
		case <-time.After(pause):
			now := time.Now()
			s.mini.FastForward(now.Sub(last)) // goes through all keys
			last = now
			pause = max(Tick, 10*time.Since(now)) // leave most of the time to the commands
		}
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

package reliability

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Load is a number of callers of whom each calls again and again.
type Load struct {
	Callers int
	Timeout time.Duration // deadline of each call; 0: none
	Pause   time.Duration // of a caller between two calls: the load is bounded
	// Group puts a caller into a group that is counted by itself. Nil: one group "".
	Group func(caller int) string
	// Call is the n-th call of a caller, from 0.
	Call func(ctx context.Context, caller, n int) error
	// Judge says what an error tells of the call. Nil: [JudgeLibrary].
	Judge func(error) Outcome
}

// Running is a load that has been started.
type Running struct {
	load    Load
	begun   time.Time
	stop    chan struct{}
	callers sync.WaitGroup
	calls   atomic.Int64
	tallies []Tally // one per caller, each written by its caller alone
}

// Start lets the callers go.
func (l Load) Start() *Running {
	if l.Judge == nil {
		l.Judge = JudgeLibrary
	}
	r := &Running{load: l, begun: time.Now(), stop: make(chan struct{}), tallies: make([]Tally, l.Callers)}
	for caller := range l.Callers {
		r.callers.Go(func() { r.run(caller) })
	}
	return r
}

// Calls is the number of calls that have returned.
func (r *Running) Calls() int64 { return r.calls.Load() }

// Rate is the number of calls per second so far.
func (r *Running) Rate() float64 { return float64(r.Calls()) / time.Since(r.begun).Seconds() }

// Stop lets each caller end its call, and gives what happened, by group.
func (r *Running) Stop() map[string]Tally {
	close(r.stop)
	r.callers.Wait()
	groups := map[string]Tally{}
	for caller, t := range r.tallies {
		name := r.group(caller)
		sum := groups[name]
		sum.add(t)
		groups[name] = sum
	}
	return groups
}

// StopAll is Stop without groups.
func (r *Running) StopAll() Tally {
	var sum Tally
	for _, t := range r.Stop() {
		sum.add(t)
	}
	return sum
}

func (r *Running) group(caller int) string {
	if r.load.Group == nil {
		return ""
	}
	return r.load.Group(caller)
}

// run is one caller. The first pause differs, so that callers do not march in step.
func (r *Running) run(caller int) {
	pause := rand.N(r.load.Pause + 1)
	for n := 0; r.wait(pause); n++ {
		r.tallies[caller].count(r.once(caller, n))
		r.calls.Add(1)
		pause = r.load.Pause
	}
}

// wait reports false when the load is to end.
func (r *Running) wait(pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-r.stop:
		return false
	case <-timer.C:
		return true
	}
}

func (r *Running) once(caller, n int) result {
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if r.load.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, r.load.Timeout)
	}
	defer cancel()
	begun := time.Now()
	err := r.load.Call(ctx, caller, n)
	return result{begun: begun, ended: time.Now(), err: err, outcome: r.load.Judge(err)}
}

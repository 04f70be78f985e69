package redisconfig

import (
	"context"
	"errors"
	"time"

	"github.com/statelink/statelink/redismanager"
)

// applyTimeout bounds one call of apply.
const applyTimeout = 15 * time.Second

type applyFunc func(context.Context, *redismanager.RedisConfig) error

// follower is the goroutine of a Watcher. A new reading passes three steps:
// look notices it, check waits until the files rest, judge acts on it.
type follower struct {
	watchOptions
	watcher  *Watcher
	apply    applyFunc
	notifier *notifier // nil: polling only

	last   reading     // the newest
	judged reading     // the last one that was acted on
	since  time.Time   // when the change began that is not judged; zero for none
	rest   *time.Timer // runs out when the files may have come to rest
	retry  *time.Timer
	tries  int // how often judged was applied in vain
}

func newFollower(w *Watcher, apply applyFunc) *follower {
	first := w.inForce // its lock is held
	return &follower{
		watchOptions: w.options.watch, watcher: w, apply: apply,
		last: first, judged: first, rest: stoppedTimer(), retry: stoppedTimer(),
	}
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

func (f *follower) run() {
	changed := f.startNotifier()
	defer f.notifier.close()
	poll := time.NewTicker(f.poll)
	defer poll.Stop()
	f.look()
	for {
		select {
		case <-f.watcher.ctx.Done():
			return
		case <-changed:
			f.look()
		case <-poll.C:
			if !f.unrest() {
				f.look()
			}
		case <-f.rest.C:
			f.check()
		case <-f.retry.C:
			f.try()
		}
	}
}

// startNotifier returns nil, which never delivers, where there is none.
func (f *follower) startNotifier() (changed <-chan struct{}) {
	n, err := f.notify(f.log)
	if err != nil {
		f.log.Warn("no notifications of changes, the files are only read at intervals", "interval", f.poll, "error", err)
		return nil
	}
	f.notifier = n
	return n.changed
}

func (f *follower) unrest() bool { return !f.since.IsZero() }

// look is for when the files may have changed.
func (f *follower) look() {
	if !f.unrest() {
		if !f.read() {
			return
		}
		f.since = time.Now()
	}
	f.wait()
}

// read takes a reading and reports whether it differs from the one before.
func (f *follower) read() (changed bool) {
	r := read(f.watcher.options)
	added := f.notifier.follow(r.files)
	changed = added || !r.same(f.last)
	f.last = r
	return changed
}

// wait gives the files time to rest, less when they have had much.
func (f *follower) wait() { f.rest.Reset(min(f.quiet, f.longest-time.Since(f.since))) }

// check judges what two readings in a row agree on, so that a file that is
// written in several steps, or a certificate before its key, is seen whole.
func (f *follower) check() {
	if f.read() && time.Since(f.since) < f.longest {
		f.wait()
		return
	}
	f.since = time.Time{}
	f.judge(f.last)
}

func (f *follower) judge(r reading) {
	if r.same(f.judged) {
		return
	}
	f.judged, f.tries = r, 0
	f.retry.Stop()
	switch {
	case r.err != nil:
		f.watcher.setProblem(r.err)
		f.tell(Report{Result: ResultRefused, Err: r.err})
	case r.same(f.watcher.current()):
		f.watcher.setProblem(nil)
		f.tell(Report{Result: ResultRestored})
	default:
		f.try()
	}
}

// try applies the judged reading.
func (f *follower) try() {
	ctx, cancel := context.WithTimeout(f.watcher.ctx, applyTimeout)
	defer cancel()
	r, changes := f.judged, f.judged.changes(f.watcher.current())
	err := f.apply(ctx, r.copyConfig())
	if err == nil {
		f.watcher.setInForce(r)
		f.tell(Report{Result: ResultApplied, Changed: changes})
		return
	}
	if f.watcher.ctx.Err() != nil {
		return // Close interrupted it
	}
	f.watcher.setProblem(err)
	report := Report{Result: ResultFailed, Changed: changes, Err: err}
	if !errors.Is(err, redismanager.ErrClosed) {
		f.tries++
		report.Retry = f.pause()
		f.retry.Reset(report.Retry)
	}
	f.tell(report)
}

// pause doubles with every try.
func (f *follower) pause() time.Duration {
	p := f.minRetry
	for range f.tries - 1 {
		if p *= 2; p >= f.maxRetry {
			return f.maxRetry
		}
	}
	return p
}

func (f *follower) tell(r Report) {
	f.logReport(f.judged.file, r)
	f.report(r)
}

package redisconfig

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/statelink/statelink/redismanager"
)

// Watcher follows a configuration file, and the files of passwords and TLS that
// it names. Its methods may be called from several goroutines.
type Watcher struct {
	options options
	ctx     context.Context // of the goroutine and of each apply
	stop    context.CancelFunc
	running sync.WaitGroup

	mu        sync.Mutex
	following bool
	closed    bool
	inForce   reading
	problem   error
}

// Watch loads as [LoadRedisConfig] does and makes a Watcher, which begins its
// work with [Watcher.Follow]. There must be a file: of [WithFile], or of the
// variable STATELINK_CONFIG. TLS files must be readable as well.
//
//	watcher, err := redisconfig.Watch(redisconfig.WithFile("statelink.yaml"))
//	...
//	manager, err := redismanager.New(ctx, *watcher.Config())
//	...
//	err = watcher.Follow(manager.UpdateConfigContext)
//
// Both steps are needed to lose no change: one between Watch and Follow is
// found by Follow.
func Watch(opts ...Option) (*Watcher, error) {
	o := newOptions(opts)
	if err := errors.Join(o.validate(), o.watch.validate()); err != nil {
		return nil, err
	}
	first := read(o)
	if first.err != nil {
		return nil, first.err
	}
	w := &Watcher{options: o, inForce: first}
	w.ctx, w.stop = context.WithCancel(context.Background())
	return w, nil
}

// Follow starts the watcher's goroutine, which calls apply with every valid
// configuration that differs from the last good one, also if only the content
// of a TLS file does. Apply is typically the manager's UpdateConfigContext. It
// is called once at a time and gets a copy of its own; its context ends after
// 15 s and with [Watcher.Close].
//
// A file that is refused and an apply that fails change nothing: they are
// logged as a warning, reported ([WithReport], [Watcher.Err]) and the last good
// configuration stays. A failed apply is tried again after 1 s, then after
// pauses that double up to 1 min, until it works or the files change; not after
// [redismanager.ErrClosed].
//
// It may be called once; after Close it returns [redismanager.ErrClosed].
func (w *Watcher) Follow(apply func(context.Context, *redismanager.RedisConfig) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case apply == nil:
		return &SettingError{Key: "Follow", Problem: "got nil, want a function such as the manager's UpdateConfigContext"}
	case w.closed:
		return fmt.Errorf("redisconfig: watcher closed: %w", redismanager.ErrClosed)
	case w.following:
		return &SettingError{Key: "Follow", Problem: "called twice"}
	}
	w.following = true
	f := newFollower(w, apply)
	w.running.Go(f.run)
	return nil
}

// Config gives a copy of the last good configuration: the one that Watch
// loaded, or the last one that was applied.
func (w *Watcher) Config() *redismanager.RedisConfig {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.inForce.copyConfig()
}

// Err says why what the files say now is not in force; nil if it is.
func (w *Watcher) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.problem
}

// Close stops following and waits for the goroutine, so that no apply and no
// report runs after it; neither may call it. The error is always nil.
func (w *Watcher) Close() error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.stop()
	w.running.Wait()
	return nil
}

// current is the reading in force.
func (w *Watcher) current() reading {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.inForce
}

func (w *Watcher) setProblem(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problem = err
}

func (w *Watcher) setInForce(r reading) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inForce, w.problem = r, nil
}

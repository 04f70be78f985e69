package redismanager

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
)

// outagePause is the least time between two tries of a call while Redis is
// away. Each try of an outage costs a server that has trouble already.
const outagePause = 100 * time.Millisecond

// retrier decides for one call whether and when it is tried again.
type retrier struct {
	start time.Time
	tries int // attempts made
	quick int // of those, the ones that were repeated at once
	last  error
}

// pause is how long to wait before the next attempt, negative if there must be
// none: the last one may have been applied, or another would go no better.
func (r *retrier) pause(ctx context.Context, cfg RedisConfig, a attempt, repeatable bool) time.Duration {
	if cfg.MaxRetries < 0 || a.refused {
		return -1
	}
	_, limited := ctx.Deadline()
	inTime := limited || time.Since(r.start) < cfg.RetryTimeout
	switch {
	case errors.Is(a.err, redis.ErrPoolTimeout) && !limited:
		return -1 // pool_timeout is the wait that was asked for
	case isOutage(a) && inTime:
		return outagePause + rand.N(outagePause)
	case isHalfMoved(a) && inTime, isLostReply(a) && repeatable && r.quick < cfg.MaxRetries:
		r.quick++
		return backoff(cfg, r.quick-1)
	default:
		return -1
	}
}

// withDoubt adds to a failure that an earlier try may have been applied, although
// this one was not.
func (r *retrier) withDoubt(err error) error {
	if errors.Is(r.last, ErrOutcomeUnknown) && !errors.Is(err, ErrOutcomeUnknown) {
		return wrap(ErrOutcomeUnknown, err, "an earlier try was sent and not answered")
	}
	return err
}

// isOutage reports that the call surely was not applied because there is no
// server to take it for now, or no connection to one.
func isOutage(a attempt) bool {
	if isServerError(a.err) {
		text := a.err.Error()
		return !isInsideScript(text) && (away.MatchString(text) || readOnly.MatchString(text) || redirection.MatchString(text))
	}
	if a.written || a.ended {
		return false
	}
	if text, found := replyInChain(a.err); found {
		return away.MatchString(text) // else it will not let us in, however often we ask
	}
	return !errors.Is(a.err, redis.ErrClosed)
}

// isHalfMoved reports keys on both sides of a slot's move, which is over in a
// moment.
func isHalfMoved(a attempt) bool {
	return isServerError(a.err) && !isInsideScript(a.err.Error()) && tryAgain.MatchString(a.err.Error())
}

// isLostReply reports that the call may have been applied.
func isLostReply(a attempt) bool { return a.written && !a.ended && !isServerError(a.err) }

// backoff grows from the shortest to the longest pause, each with jitter, so
// that callers that failed together do not return together.
func backoff(cfg RedisConfig, tries int) time.Duration {
	d := cfg.MinRetryBackoff << min(tries, 16)
	d = min(max(d, cfg.MinRetryBackoff), cfg.MaxRetryBackoff)
	return d/2 + rand.N(d/2+1)
}

// sleep reports false if the context ends first, or would end within d.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

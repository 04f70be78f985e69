package redismanager

import (
	"context"
	"errors"
	"net"

	"github.com/redis/go-redis/v9"
)

// errRefused is an error reply without a class of its own, errCanceled the
// caller's own will.
var (
	errRefused  = errors.New("redis refused the command")
	errCanceled = errors.New("canceled")
)

// explain gives a failed attempt its class. reads is true for calls that change
// nothing: a lost reply is then a plain failure. Else it must not be told as
// ErrUnavailable, which says that the call was not applied.
func explain(a attempt, reads bool) error {
	if a.err == nil {
		return nil
	}
	if isServerError(a.err) {
		return explainReply(a.err, a.node)
	}
	if !a.written || reads {
		return explainConnection(a)
	}
	cause := explainConnection(a)
	if errors.Is(cause, ErrUnavailable) {
		cause = a.err
	}
	return wrap(ErrOutcomeUnknown, cause, "sent to node %s and not answered", a.node)
}

func explainReply(err error, node string) error {
	class := serverClass(err.Error())
	if class == nil {
		class = errRefused
	}
	return wrap(class, err, "node %s", node)
}

// explainConnection classes what happened on the way to or from the server.
func explainConnection(a attempt) error {
	node := a.node
	if node == "" {
		node = "(none chosen)"
	}
	if !a.written && a.client != nil && isPoolWait(a) {
		return newPoolExhausted(a)
	}
	return wrap(connectionClass(a), a.err, "node %s", node)
}

func connectionClass(a attempt) error {
	err := a.err
	switch {
	case a.ended && errors.Is(err, context.DeadlineExceeded):
		return ErrTimeout
	case errors.Is(err, context.Canceled):
		return errCanceled
	case errors.Is(err, redis.ErrClosed):
		return ErrClosed
	case errors.Is(err, redis.ErrPoolTimeout):
		return ErrPoolExhausted
	case isDialError(err), errors.Is(err, context.DeadlineExceeded) && !a.ended:
		return ErrUnavailable // dial_timeout ran out, for example over a TLS handshake or a sentinel
	case isTimeout(err):
		return ErrTimeout
	}
	if text, found := replyInChain(err); found && serverClass(text) != nil {
		return serverClass(text)
	}
	return ErrUnavailable
}

// isPoolWait reports that the attempt ended while it waited for a connection
// of a full pool: by the pool's own timeout or by the caller's deadline.
func isPoolWait(a attempt) bool {
	if errors.Is(a.err, redis.ErrPoolTimeout) {
		return true
	}
	return a.ended && errors.Is(a.err, context.DeadlineExceeded) && !isDialError(a.err) &&
		inUse(a.client.PoolStats()) >= a.client.Options().PoolSize
}

// inUse is the number of connections that are taken. While idle ones are being
// opened go-redis counts them as idle before it counts them at all.
func inUse(s *redis.PoolStats) int { return max(int(s.TotalConns)-int(s.IdleConns), 0) }

func newPoolExhausted(a attempt) *PoolExhaustedError {
	stats := a.client.PoolStats()
	return &PoolExhaustedError{
		Node: a.node, Size: a.client.Options().PoolSize,
		InUse:   inUse(stats),
		Waiters: int(stats.PendingRequests), Waited: a.waited, Cause: a.err,
	}
}

// isDialError reports that no connection could be opened.
func isDialError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout()
}

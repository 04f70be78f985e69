package statelink

import (
	"errors"

	"github.com/statelink/statelink/redismanager"
)

// The classes of failure, matched with [errors.Is]. They are those of package
// redismanager, where each is described, and two of this package.
var (
	ErrInvalidArgument  = redismanager.ErrInvalidArgument
	ErrClosed           = redismanager.ErrClosed
	ErrUnavailable      = redismanager.ErrUnavailable
	ErrWrongTopology    = redismanager.ErrWrongTopology
	ErrPoolExhausted    = redismanager.ErrPoolExhausted
	ErrTimeout          = redismanager.ErrTimeout
	ErrReadOnly         = redismanager.ErrReadOnly
	ErrAuth             = redismanager.ErrAuth
	ErrOutOfMemory      = redismanager.ErrOutOfMemory
	ErrBusyScript       = redismanager.ErrBusyScript
	ErrCrossSlot        = redismanager.ErrCrossSlot
	ErrScriptCompile    = redismanager.ErrScriptCompile
	ErrScriptRuntime    = redismanager.ErrScriptRuntime
	ErrScriptUnknown    = redismanager.ErrScriptUnknown
	ErrScriptVersion    = redismanager.ErrScriptVersion
	ErrScriptUpdatesOff = redismanager.ErrScriptUpdatesOff
	ErrNotDurable       = redismanager.ErrNotDurable
	ErrOutcomeUnknown   = redismanager.ErrOutcomeUnknown
	ErrWrongType        = redismanager.ErrWrongType
	ErrMalformedData    = redismanager.ErrMalformedData
	ErrNoRoutingKey     = redismanager.ErrNoRoutingKey

	// ErrNoReadyPod: no pod of the service is ready and fresh, so a user without
	// a live pod cannot be placed.
	ErrNoReadyPod = errors.New("no ready pod")
	// ErrContended: other callers changed the same link faster than it could be
	// judged. Nothing was changed by this call.
	ErrContended = errors.New("link contended")
)

// The classes of this package's own errors.
const (
	ClassNoReadyPod redismanager.Class = "no_ready_pod" // ErrNoReadyPod
	ClassContended  redismanager.Class = "contended"    // ErrContended
)

// Classify gives the class of an error as a stable code for logs and metrics.
// Nil is "ok"; an error that is not known is "other".
func Classify(err error) redismanager.Class {
	switch {
	case errors.Is(err, ErrNoReadyPod):
		return ClassNoReadyPod
	case errors.Is(err, ErrContended):
		return ClassContended
	default:
		return redismanager.Classify(err)
	}
}

// Retryable reports whether the call surely was not applied (or only reads)
// and the same call may succeed a little later.
func Retryable(err error) bool {
	return errors.Is(err, ErrNoReadyPod) || errors.Is(err, ErrContended) || redismanager.Retryable(err)
}

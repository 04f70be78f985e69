package statelink

import (
	"errors"

	"github.com/statelink/statelink/redismanager"
)

// The classes of failure, matched with [errors.Is]. They are those of package
// redismanager, where each is described, and ErrNoReadyPod.
var (
	ErrInvalidArgument = redismanager.ErrInvalidArgument
	ErrClosed          = redismanager.ErrClosed
	ErrUnavailable     = redismanager.ErrUnavailable
	ErrWrongTopology   = redismanager.ErrWrongTopology
	ErrPoolExhausted   = redismanager.ErrPoolExhausted
	ErrTimeout         = redismanager.ErrTimeout
	ErrReadOnly        = redismanager.ErrReadOnly
	ErrAuth            = redismanager.ErrAuth
	ErrOutOfMemory     = redismanager.ErrOutOfMemory
	ErrBusyScript      = redismanager.ErrBusyScript
	ErrCrossSlot       = redismanager.ErrCrossSlot
	ErrScriptCompile   = redismanager.ErrScriptCompile
	ErrScriptRuntime   = redismanager.ErrScriptRuntime
	ErrScriptUnknown   = redismanager.ErrScriptUnknown
	ErrNotDurable      = redismanager.ErrNotDurable
	ErrOutcomeUnknown  = redismanager.ErrOutcomeUnknown
	ErrWrongType       = redismanager.ErrWrongType
	ErrMalformedData   = redismanager.ErrMalformedData
	ErrNoRoutingKey    = redismanager.ErrNoRoutingKey

	// ErrNoReadyPod: no pod of the service is ready and fresh, so a user without
	// a live pod cannot be placed.
	ErrNoReadyPod = errors.New("no ready pod")
)

// ClassNoReadyPod is the class of [ErrNoReadyPod].
const ClassNoReadyPod redismanager.Class = "no_ready_pod"

// Classify gives the class of an error as a stable code for logs and metrics.
// Nil is "ok"; an error that is not known is "other".
func Classify(err error) redismanager.Class {
	if errors.Is(err, ErrNoReadyPod) {
		return ClassNoReadyPod
	}
	return redismanager.Classify(err)
}

// Retryable reports whether the call surely was not applied (or only reads)
// and the same call may succeed a little later.
func Retryable(err error) bool {
	return errors.Is(err, ErrNoReadyPod) || redismanager.Retryable(err)
}

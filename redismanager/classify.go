package redismanager

import (
	"context"
	"errors"
)

// Class is a stable code of an error's class, fit for logs and metric labels.
type Class string

// The classes that [Classify] returns.
const (
	ClassOK              Class = "ok"
	ClassInvalidArgument Class = "invalid_argument"
	ClassClosed          Class = "closed"
	ClassUnavailable     Class = "unavailable"
	ClassWrongTopology   Class = "wrong_topology"
	ClassPoolExhausted   Class = "pool_exhausted"
	ClassTimeout         Class = "timeout"
	ClassCanceled        Class = "canceled"
	ClassReadOnly        Class = "read_only"
	ClassAuth            Class = "auth"
	ClassOutOfMemory     Class = "out_of_memory"
	ClassBusyScript      Class = "busy_script"
	ClassCrossSlot       Class = "cross_slot"
	ClassScriptCompile   Class = "script_compile"
	ClassScriptRuntime   Class = "script_runtime"
	ClassScriptUnknown   Class = "script_unknown"
	ClassScriptVersion   Class = "script_version"
	ClassScriptsOff      Class = "script_updates_off"
	ClassNotDurable      Class = "not_durable"
	ClassOutcomeUnknown  Class = "outcome_unknown"
	ClassWrongType       Class = "wrong_type"
	ClassMalformedData   Class = "malformed_data"
	ClassNoRoutingKey    Class = "no_routing_key"
	ClassOther           Class = "other"
)

// classes is searched in order: what the caller must know first comes first,
// because an error often matches several (a lost reply is also a timeout).
var classes = []struct {
	is    error
	class Class
}{
	{ErrOutcomeUnknown, ClassOutcomeUnknown},
	{ErrNotDurable, ClassNotDurable},
	{ErrInvalidArgument, ClassInvalidArgument},
	{ErrNoRoutingKey, ClassNoRoutingKey},
	{ErrCrossSlot, ClassCrossSlot},
	{ErrClosed, ClassClosed},
	{ErrWrongTopology, ClassWrongTopology},
	{ErrScriptUpdatesOff, ClassScriptsOff},
	{ErrScriptVersion, ClassScriptVersion},
	{ErrScriptUnknown, ClassScriptUnknown},
	{ErrAuth, ClassAuth},
	{ErrScriptCompile, ClassScriptCompile},
	{ErrWrongType, ClassWrongType},
	{ErrOutOfMemory, ClassOutOfMemory},
	{ErrReadOnly, ClassReadOnly},
	{ErrBusyScript, ClassBusyScript},
	{ErrScriptRuntime, ClassScriptRuntime},
	{ErrMalformedData, ClassMalformedData},
	{ErrPoolExhausted, ClassPoolExhausted},
	{context.Canceled, ClassCanceled},
	{ErrTimeout, ClassTimeout},
	{ErrUnavailable, ClassUnavailable}, // before the deadline: a dial has one of its own
	{context.DeadlineExceeded, ClassTimeout},
}

// Classify gives the class of an error of this package, of what wraps one, or
// of a context. Nil is [ClassOK]; an error it does not know is [ClassOther].
func Classify(err error) Class {
	if err == nil {
		return ClassOK
	}
	for _, c := range classes {
		if errors.Is(err, c.is) {
			return c.class
		}
	}
	return ClassOther
}

// Retryable reports whether the call surely was not applied (or only reads)
// and the same call may succeed a little later. It is false for
// [ErrOutcomeUnknown]: repeat such a call only if repeating it is harmless.
func Retryable(err error) bool {
	switch Classify(err) {
	case ClassUnavailable, ClassPoolExhausted, ClassTimeout, ClassReadOnly, ClassBusyScript:
		return true
	default:
		return false
	}
}

package redismanager

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// The classes of failure, matched with [errors.Is]. An error may match more
// than one: a lost reply matches ErrOutcomeUnknown and, through its cause, for
// example [context.DeadlineExceeded]. [Classify] gives one stable code.
var (
	// ErrInvalidArgument: an argument or a setting was refused before anything
	// was sent. See [FieldError] for the field.
	ErrInvalidArgument = errors.New("invalid argument")
	// ErrClosed: the manager is closed.
	ErrClosed = errors.New("manager is closed")
	// ErrUnavailable: no server could take the call (dial refused or timed out,
	// LOADING, CLUSTERDOWN, MASTERDOWN, TRYAGAIN, NOREPLICAS, no master, too many
	// clients). The call was not applied.
	ErrUnavailable = errors.New("redis unavailable")
	// ErrWrongTopology: the configured mode does not fit the server.
	ErrWrongTopology = errors.New("wrong topology")
	// ErrPoolExhausted: no connection became free in time. The call was not
	// sent. See [PoolExhaustedError] for the numbers.
	ErrPoolExhausted = errors.New("connection pool exhausted")
	// ErrTimeout: the deadline or a socket timeout passed before the call was
	// sent, or while a call that only reads waited for its reply.
	ErrTimeout = errors.New("timeout")
	// ErrReadOnly: the server is a replica and refused to write.
	ErrReadOnly = errors.New("server is read only")
	// ErrAuth: wrong user or password, or the user lacks a permission.
	ErrAuth = errors.New("authentication or permission refused")
	// ErrOutOfMemory: the server is at maxmemory and refused to write.
	ErrOutOfMemory = errors.New("redis is out of memory")
	// ErrBusyScript: another script holds the server; the call was not run.
	ErrBusyScript = errors.New("redis is busy running a script")
	// ErrCrossSlot: the keys of one call belong to several Cluster slots.
	ErrCrossSlot = errors.New("keys belong to different cluster slots")
	// ErrScriptCompile: the server could not compile the Lua source.
	ErrScriptCompile = errors.New("script does not compile")
	// ErrScriptRuntime: the script failed or returned an error while running.
	ErrScriptRuntime = errors.New("script failed")
	// ErrScriptUnknown: no script is registered under the name, or the server
	// lacks it and may not be given it.
	ErrScriptUnknown = errors.New("script unknown")
	// ErrScriptVersion: a change of a script names a version that is not there, or
	// expects one that is not current. Nothing was changed.
	ErrScriptVersion = errors.New("script version refused")
	// ErrScriptUpdatesOff: the manager was made [WithoutScriptUpdates], or the
	// configuration says DisableScriptUpdates.
	ErrScriptUpdatesOff = errors.New("script updates are switched off")
	// ErrNotDurable: the write was applied but not acknowledged by the replicas
	// that were asked for.
	ErrNotDurable = errors.New("write not durable")
	// ErrOutcomeUnknown: the call was sent and its reply was lost. It may have
	// been applied, may be applied later, or never. It was not sent again, unless
	// the script is declared idempotent. What else the error matches is about the
	// last try only.
	ErrOutcomeUnknown = errors.New("outcome unknown")
	// ErrWrongType: a key holds another type than the command needs.
	ErrWrongType = errors.New("key holds the wrong type")
	// ErrMalformedData: a stored value or a reply is not what it must be, for
	// example because another program wrote it.
	ErrMalformedData = errors.New("malformed data")
	// ErrNoRoutingKey: a Cluster lease was asked for without [WithRoutingKey].
	ErrNoRoutingKey = errors.New("no routing key in the context")
)

// FieldError refuses one argument or setting. It matches [ErrInvalidArgument].
type FieldError struct {
	Field string // the argument's or setting's name, such as "pool_size"
	Got   string // the shape of the value, never a secret
	Want  string // what would be right
}

// Error names the field, what came and what would be right.
func (e *FieldError) Error() string {
	return fmt.Sprintf("%v: %s: got %s, want %s", ErrInvalidArgument, e.Field, e.Got, e.Want)
}

// Is reports whether target is [ErrInvalidArgument].
func (e *FieldError) Is(target error) bool { return target == ErrInvalidArgument }

// PoolExhaustedError says what the pool looked like when a call gave up
// waiting for a connection. It matches [ErrPoolExhausted].
type PoolExhaustedError struct {
	Node    string        // address of the node whose pool it is
	Size    int           // most connections the pool may hold
	InUse   int           // connections in use
	Waiters int           // calls waiting for one, this one not counted
	Waited  time.Duration // how long this call waited
	Cause   error
}

// Error gives all numbers of the pool.
func (e *PoolExhaustedError) Error() string {
	return fmt.Sprintf("%v: node %s: size %d, in use %d, waiters %d, waited %v: %v",
		ErrPoolExhausted, e.Node, e.Size, e.InUse, e.Waiters, e.Waited.Round(time.Millisecond), e.Cause)
}

// Is reports whether target is [ErrPoolExhausted].
func (e *PoolExhaustedError) Is(target error) bool { return target == ErrPoolExhausted }

// Unwrap gives the cause, which may be the context's error.
func (e *PoolExhaustedError) Unwrap() error { return e.Cause }

// CrossSlotError names the keys of a call that spans Cluster slots. It matches
// [ErrCrossSlot].
type CrossSlotError struct {
	Keys  []string // the keys of the call
	Slots []int    // their slots, in the same order
}

// Error lists each key with its slot.
func (e *CrossSlotError) Error() string {
	parts := make([]string, len(e.Keys))
	for i, key := range e.Keys {
		parts[i] = fmt.Sprintf("%q in slot %d", key, e.Slots[i])
	}
	return fmt.Sprintf("%v: %s (use one {hash tag} for all of them)", ErrCrossSlot, strings.Join(parts, ", "))
}

// Is reports whether target is [ErrCrossSlot].
func (e *CrossSlotError) Is(target error) bool { return target == ErrCrossSlot }

// ScriptError is a failure of one script on the server. It matches
// [ErrScriptCompile], [ErrScriptRuntime] or [ErrScriptUnknown].
type ScriptError struct {
	Class error  // ErrScriptCompile, ErrScriptRuntime or ErrScriptUnknown
	Name  string // registered name, or "" for source given in the call
	SHA   string // SHA1 of the source, as Redis computes it
	Line  int    // line of the source, 0 when the server did not say
	Node  string // address of the node that answered
	Cause error  // the server's reply
}

// Error names script, SHA, line, node and the server's own words.
func (e *ScriptError) Error() string {
	name := e.Name
	if name == "" {
		name = "(source given)"
	}
	line := ""
	if e.Line > 0 {
		line = fmt.Sprintf(" line %d", e.Line)
	}
	return fmt.Sprintf("%v: %s%s, sha %s, node %s: %v", e.Class, name, line, e.SHA, e.Node, e.Cause)
}

// Is reports whether target is the script error's class.
func (e *ScriptError) Is(target error) bool { return target == e.Class }

// Unwrap gives the server's reply.
func (e *ScriptError) Unwrap() error { return e.Cause }

// wrap adds a class to a cause and keeps both in the chain.
func wrap(class error, cause error, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %w", class, fmt.Sprintf(format, args...), cause)
}

// replyError is an error reply that also matches its class, if it has one.
type replyError struct{ class, reply error }

func (e *replyError) Error() string        { return e.reply.Error() }
func (e *replyError) Is(target error) bool { return e.class != nil && target == e.class }
func (e *replyError) Unwrap() error        { return e.reply }

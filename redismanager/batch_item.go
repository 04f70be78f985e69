package redismanager

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bounds of one call, checked before anything is sent.
const (
	MaxBatchItems = 10_000   // items of a [Manager.Batch]
	MaxTxItems    = 1_000    // items of a [Manager.Tx]: while they run, the server serves nobody else
	MaxBatchBytes = 64 << 20 // keys and arguments of all items of either, in bytes
)

// BatchItem is one script run, or one native command.
type BatchItem struct {
	// Script is what [Manager.ExecuteScript] takes: a registered name, a kept
	// version ("name@3") or Lua source; "" for a native command.
	Script string
	Keys   []string // of the script; none for a native command
	// Args are the script's arguments, or the whole native command with its key
	// as the second element: "SET", key, value.
	Args []any
	// ReadOnly says of a native command that it only reads: it may be sent again
	// after a lost reply. Scripts say so themselves.
	ReadOnly bool
}

// BatchResult is what became of one item.
type BatchResult struct {
	Value any   // the reply, nil for an absent value
	Err   error // the item's own failure
	// Repaired says that the node lacked the script and was given it.
	Repaired bool
}

// job is one item on its way: what to send, and what became of it.
type job struct {
	script     *scriptRun // nil for a native command
	native     []any      // nil for a script
	key        string     // that chooses the node
	slot       int
	bytes      int
	reads      bool // it only reads
	repeatable bool // it may be sent again after a lost reply

	g       *generation // of the last attempt
	last    attempt
	before  error // the attempt before it
	asking  bool  // the node takes its slot over
	hops    int   // nodes that sent it on, in this wave
	lacking int   // times a node lacked the script
	// overtaken: it was not answered or met an outage, and a later write of the
	// slot ran or may have run.
	overtaken bool
}

// command is what to send. withSource sends the script instead of its SHA.
func (j *job) command(plain, withSource bool) []any {
	if j.script == nil {
		return j.native
	}
	b := j.script.entry.forServer(plain)
	if withSource {
		return j.script.command("eval", b.source)
	}
	return j.script.command("evalsha", b.sha)
}

// result explains the last attempt to the caller.
func (j *job) result() BatchResult {
	r := BatchResult{Value: j.last.value, Repaired: j.lacking > 0 && j.last.err == nil}
	switch {
	case j.last.err == nil:
	case j.last.refused:
		r.Err = j.last.err
	case j.script != nil && isServerError(j.last.err):
		r.Err = j.script.explain(j.last, j.g)
	default: // a lost write that might be repeated, but not after what may have run since, is unknown
		r.Err = explain(j.last, j.reads || j.repeatable && !j.overtaken)
	}
	if j.before != nil && j.last.ended && !j.last.written { // the deadline says less than what kept it from being met
		r.Err = fmt.Errorf("%w; before that: %w", r.Err, j.before)
	}
	return r
}

// about describes the run of an item's script to observers.
func (j *job) about(took time.Duration, tries int, r BatchResult) CallInfo {
	about := j.script.entry.about()
	about.Node, about.Duration, about.Tries, about.Repairs, about.Err = j.last.node, took, tries, j.lacking, r.Err
	return about
}

// itemReader turns items into jobs, and refuses what cannot be sent. Each script
// is looked up once: an update in between does not mix two versions.
type itemReader struct {
	m       *Manager
	cluster bool
	scripts map[string]*scriptEntry
	bytes   int
}

func (m *Manager) newJobs(items []BatchItem, limit int) ([]job, error) {
	if len(items) > limit {
		return nil, &FieldError{Field: "items", Got: fmt.Sprintf("%d items", len(items)), Want: fmt.Sprintf("at most %d", limit)}
	}
	r := itemReader{m: m, cluster: m.Mode() == ModeCluster, scripts: map[string]*scriptEntry{}}
	jobs := make([]job, len(items))
	for i := range items {
		if err := r.read(&items[i], &jobs[i]); err != nil {
			return nil, ofItem(i, err)
		}
	}
	return jobs, nil
}

// ofItem says which item an error is about.
func ofItem(i int, err error) error {
	var field *FieldError
	if errors.As(err, &field) {
		return &FieldError{Field: fmt.Sprintf("items[%d].%s", i, field.Field), Got: field.Got, Want: field.Want}
	}
	return fmt.Errorf("items[%d]: %w", i, err)
}

func (r *itemReader) read(item *BatchItem, j *job) error {
	args, err := sendable(item.Args)
	if err != nil {
		return err
	}
	if item.Script == "" {
		err = r.native(item, args, j)
	} else {
		err = r.script(item, args, j)
	}
	if err != nil {
		return err
	}
	j.slot, j.bytes = Slot(j.key), sizeOf(item.Keys, args)
	if r.bytes += j.bytes; r.bytes > MaxBatchBytes {
		return &FieldError{Field: "args", Got: fmt.Sprintf("%d bytes of keys and arguments up to this item", r.bytes), Want: fmt.Sprintf("at most %d", MaxBatchBytes)}
	}
	return nil
}

func (r *itemReader) script(item *BatchItem, args []any, j *job) error {
	if item.ReadOnly {
		return &FieldError{Field: "read_only", Got: "true for a script", Want: "false: a script says itself whether it only reads"}
	}
	e := r.scripts[item.Script]
	if e == nil {
		var err error
		if e, err = r.m.resolve(item.Script); err != nil {
			return err
		}
		r.scripts[item.Script] = e
	}
	j.script = &scriptRun{entry: e, keys: item.Keys, args: args}
	j.reads, j.repeatable = e.ReadOnly(), e.repeatable
	if len(item.Keys) > 0 {
		j.key = item.Keys[0]
	}
	if r.cluster {
		return j.script.inOneSlot()
	}
	return nil
}

func (r *itemReader) native(item *BatchItem, args []any, j *job) error {
	if len(item.Keys) > 0 {
		return &FieldError{Field: "keys", Got: fmt.Sprintf("%d keys of a native command", len(item.Keys)), Want: "none: the whole command is in args"}
	}
	key, err := keyOf(args)
	if err != nil {
		return err
	}
	if _, err := nameOf(args); err != nil {
		return err
	}
	j.native, j.key, j.reads, j.repeatable = args, key, item.ReadOnly, item.ReadOnly
	return nil
}

// ofSession are the commands that change the state of their connection, or make
// it answer otherwise than once per command.
var ofSession = strings.Fields("asking auth client discard exec hello monitor multi psubscribe psync punsubscribe quit readonly readwrite replconf reset select ssubscribe subscribe sunsubscribe sync unsubscribe unwatch watch")

func isOfSession(name string) bool {
	_, found := slices.BinarySearch(ofSession, strings.ToLower(name))
	return found
}

// sizeOf counts the bytes of keys and arguments; a number counts as 8.
func sizeOf(keys []string, args []any) int {
	size := 0
	for _, key := range keys {
		size += len(key)
	}
	for _, arg := range args {
		switch arg := arg.(type) {
		case string:
			size += len(arg)
		case []byte:
			size += len(arg)
		default:
			size += 8
		}
	}
	return size
}

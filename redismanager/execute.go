package redismanager

import (
	"context"
	"errors"
	"fmt"
)

// LoadScript gives the source of a registered script. It does no I/O. An
// unknown name is [ErrScriptUnknown].
func (m *Manager) LoadScript(_ context.Context, name string) (string, error) {
	e, err := m.entry(name)
	if err != nil {
		return "", err
	}
	return e.Source, nil
}

// GetScriptSHA gives the SHA1 under which the servers in use know a registered
// script. An unknown name is [ErrScriptUnknown].
func (m *Manager) GetScriptSHA(name string) (string, error) {
	e, err := m.entry(name)
	if err != nil {
		return "", err
	}
	return e.forServer(m.current.Load().plain).sha, nil
}

// Scripts lists the registered scripts, sorted by name.
func (m *Manager) Scripts() []ScriptInfo {
	plain := m.current.Load().plain
	histories := m.scripts.sorted()
	list := make([]ScriptInfo, len(histories))
	for i, h := range histories {
		list[i] = h.info(h.current, plain)
	}
	return list
}

func (m *Manager) entry(name string) (*scriptEntry, error) {
	if e := m.scripts.get(name); e != nil {
		return e, nil
	}
	if base, version, ok := cutVersion(name); ok && m.scripts.history(base) != nil {
		return nil, fmt.Errorf("%w: version %d of %s is not kept", ErrScriptUnknown, version, base)
	}
	return nil, fmt.Errorf("%w: no script is registered as %s (%d are)", ErrScriptUnknown, quoteShort(name), m.scripts.Len())
}

// ExecuteScript runs a registered script by its name, one of its kept versions
// by name and number ("name@3"), or Lua source given in the call, on the master
// that serves the keys. All run as EVALSHA; a node that lacks the script gets it
// within the call. The script is sent once, unless it only reads or is declared
// idempotent: such a one is sent again after a lost reply. If the last reply is
// lost too, the error is [ErrOutcomeUnknown] for all but readers. Other errors:
// [ErrScriptUnknown], [ErrScriptCompile], [ErrScriptRuntime], [ErrCrossSlot],
// [ErrInvalidArgument] and those of the connection.
//
// Redis keeps every source it is given until it restarts: put data into args,
// never into the source. A Cluster needs at least one key. A script must not
// return an error reply as an element of a table, such as a collected result of
// redis.pcall: go-redis (v9.23) stops reading there, and the next reply on the
// connection may be what is left of this one.
func (m *Manager) ExecuteScript(ctx context.Context, script string, keys []string, args []interface{}) (interface{}, error) {
	e, err := m.resolve(script)
	if err != nil {
		return nil, err
	}
	return m.runScript(ctx, e, keys, args, Acks{})
}

// resolve finds the script that a caller named, or gave as source.
func (m *Manager) resolve(script string) (*scriptEntry, error) {
	if e := m.scripts.get(script); e != nil {
		return e, nil
	}
	if _, _, versioned := cutVersion(script); versioned || isScriptName(script) {
		return m.entry(script)
	}
	return m.adHoc.entry(script)
}

// ScriptCall is one run of a script with more than [Manager.ExecuteScript] has
// room for.
type ScriptCall struct {
	Script string   // registered name, or one of its kept versions: "name@3"
	Keys   []string // all in one slot, at least one in a Cluster
	Args   []any
	Acks   Acks // asked for if the script is no reader
}

// Run is [Manager.ExecuteScript] for a registered script. If fewer replicas than
// asked for acknowledged the change, it gives the script's answer together with a
// [*NotDurableError].
func (m *Manager) Run(ctx context.Context, c ScriptCall) (any, error) {
	e, err := m.entry(c.Script)
	if err != nil {
		return nil, err
	}
	if c.Acks.wanted() && e.ReadOnly() {
		c.Acks = Acks{}
	}
	return m.runScript(ctx, e, c.Keys, c.Args, c.Acks)
}

func (m *Manager) runScript(ctx context.Context, e *scriptEntry, keys []string, args []any, acks Acks) (any, error) {
	args, err := sendable(args)
	if err != nil {
		return nil, err
	}
	r := &scriptRun{entry: e, keys: keys, args: args, acks: acks}
	return m.run(ctx, call{about: e.about(), once: r.once, explain: r.explain, repeatable: e.repeatable, acks: acks})
}

// scriptRun is one call of a script.
type scriptRun struct {
	entry *scriptEntry
	keys  []string
	args  []any
	acks  Acks
}

// once sends EVALSHA, and EVAL if the node does not know the SHA: that reply
// proves that nothing ran, so EVAL is the first execution. EVAL also leaves
// the script on the node.
func (r *scriptRun) once(ctx context.Context, g *generation) attempt {
	if err := r.routable(g); err != nil {
		return attempt{err: err, refused: true}
	}
	key := ""
	if len(r.keys) > 0 {
		key = r.keys[0]
	}
	b := r.entry.forServer(g.plain)
	a := g.send(ctx, key, r.command("evalsha", b.sha), r.acks)
	if isNoScript(a.err) {
		a = g.send(ctx, key, r.command("eval", b.source), r.acks)
		a.repaired = true
	}
	return a
}

func (r *scriptRun) command(name, script string) []any {
	args := make([]any, 0, 3+len(r.keys)+len(r.args))
	args = append(args, name, script, len(r.keys))
	for _, key := range r.keys {
		args = append(args, key)
	}
	return append(args, r.args...)
}

// routable refuses what a Cluster cannot run, naming the keys.
func (r *scriptRun) routable(g *generation) error {
	if g.cfg.Mode != ModeCluster {
		return nil
	}
	return r.inOneSlot()
}

// inOneSlot refuses no keys, and keys of several slots.
func (r *scriptRun) inOneSlot() error {
	if len(r.keys) == 0 {
		return &FieldError{Field: "keys", Got: "none", Want: "at least one key in mode cluster, to choose the node"}
	}
	return checkSlots(r.keys)
}

// explain adds the script's name, SHA and line to what the server said.
func (r *scriptRun) explain(a attempt, g *generation) error {
	if a.refused {
		return a.err
	}
	if !a.written || !isServerError(a.err) {
		return explain(a, r.entry.ReadOnly())
	}
	text := a.err.Error()
	class := serverClass(text)
	failure := &ScriptError{
		Class: ErrScriptRuntime, Name: r.entry.Name, SHA: r.entry.forServer(g.plain).sha,
		Line: lineOf(text), Node: a.node, Cause: &replyError{class: class, reply: a.err},
	}
	switch {
	case isNoScript(a.err) || errors.Is(class, ErrAuth) && a.repaired && !isInsideScript(text):
		failure.Class = ErrScriptUnknown
	case errors.Is(class, ErrScriptCompile):
		failure.Class = ErrScriptCompile
	case class != nil && !isInsideScript(text):
		return explainReply(a.err, a.node) // the script did not start
	}
	return failure
}

package redismanager

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed" // the fleet's scripts
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"
)

// How often a process looks for a change, how often it says what it runs, and
// after how long without that it is forgotten.
const (
	fleetPoll        = time.Second
	fleetReportEvery = 10 * time.Second
	fleetMaxAge      = 30 * time.Second
)

// ScriptFleet says which registry a process follows, and as whom.
//
// A registry is a family of keys in one Cluster slot. With the key K:
//
//	K           hash         revision -> <changes>-<unix ms>, another text after each change
//	                         script:<name> -> <in force> <highest> <earlier ones: 1,2,5 or ->
//	K:versions  hash         <name>@<version> -> <sha1> <idempotent 0|1> <unix ms> <by>
//	K:bodies    hash         <name>@<version> -> Lua source
//	K:seen      sorted set   process -> unix ms of its last report, by the server's clock
//	K:reports   hash         process -> {"scripts":{<name>:{"version":3,"sha":"...","error":"..."}}}
//
// Version 1 of a script is the body that each process itself registered, so it
// is not stored. In a report version 0 is a body that the process took from
// elsewhere ([Manager.UpdateScript], [Manager.WatchScripts]).
type ScriptFleet struct {
	// Key is the name of the registry, with a hash tag: "sf:{default:scripts}".
	Key string
	// Process names this process in reports, up to 128 printable bytes. Default:
	// host name, process id and a random part.
	Process string
	// Poll is about how often the process looks for a change, 50 ms to 1 m.
	// Default: 1 s, which is one HGET per second.
	Poll time.Duration
}

func (f ScriptFleet) withDefaults() ScriptFleet {
	f.Process = cmp.Or(f.Process, processName())
	f.Poll = cmp.Or(f.Poll, fleetPoll)
	return f
}

func (f ScriptFleet) validate() error {
	if _, err := newFleetKeys(f.Key); err != nil {
		return err
	}
	if len(f.Process) > 128 || !isPrintable(f.Process) {
		return &FieldError{Field: "fleet process", Got: quoteShort(f.Process), Want: "1 to 128 printable bytes"}
	}
	if f.Poll < 50*time.Millisecond || f.Poll > time.Minute {
		return &FieldError{Field: "fleet poll", Got: f.Poll.String(), Want: "50ms to 1m"}
	}
	return nil
}

func processName() string {
	host, err := os.Hostname()
	if err != nil || host == "" || !isPrintable(host) {
		host = "host"
	}
	random := make([]byte, 3)
	_, _ = rand.Read(random) // never fails
	return fmt.Sprintf("%.64s-%d-%s", host, os.Getpid(), hex.EncodeToString(random))
}

func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// fleetKeys are the keys of a registry.
type fleetKeys struct{ registry, versions, bodies, seen, reports string }

func newFleetKeys(key string) (fleetKeys, error) {
	k := fleetKeys{key, key + ":versions", key + ":bodies", key + ":seen", key + ":reports"}
	if Slot(k.registry) != Slot(k.versions) || Slot(k.versions) != Slot(k.bodies) {
		return k, &FieldError{Field: "fleet key", Got: quoteShort(key), Want: "a key with a {hash tag}"}
	}
	return k, nil
}

// The sources of the fleet's scripts.
var (
	//go:embed lua/fleetPush.lua
	fleetPushSource string
	//go:embed lua/fleetRollback.lua
	fleetRollbackSource string
	//go:embed lua/fleetReport.lua
	fleetReportSource string
	//go:embed lua/fleetLeave.lua
	fleetLeaveSource string
	//go:embed lua/fleetRead.lua
	fleetReadSource string
)

// The fleet's own scripts. They are not registered: nothing may change them.
// A push or rollback that is sent twice answers otherwise the second time.
var (
	fleetPush     = newScriptEntry(Script{Name: "fleetPush", Source: fleetPushSource}, 1)
	fleetRollback = newScriptEntry(Script{Name: "fleetRollback", Source: fleetRollbackSource}, 1)
	fleetReport   = newScriptEntry(Script{Name: "fleetReport", Source: fleetReportSource, Idempotent: true}, 1)
	fleetLeave    = newScriptEntry(Script{Name: "fleetLeave", Source: fleetLeaveSource, Idempotent: true}, 1)
	fleetRead     = newScriptEntry(Script{Name: "fleetRead", Source: fleetReadSource}, 1)
)

// runFleet runs one of them on the registry.
func (m *Manager) runFleet(ctx context.Context, e *scriptEntry, keys []string, args []any) (any, error) {
	return m.runScript(ctx, e, keys, args, Acks{})
}

// ScriptPush is a body for all processes of a fleet.
type ScriptPush struct {
	Script
	// ExpectVersion is the version that must be in force, 0 for any.
	ExpectVersion int
	// By says who pushes, up to 128 printable bytes.
	By string
}

// FleetChange is what became of a push or rollback.
type FleetChange struct {
	Name     string `json:"name"`
	Version  int    `json:"version"`  // in force now
	Previous int    `json:"previous"` // in force before
	Changed  bool   `json:"changed"`  // false: it was in force already
}

// PushScript puts a body into force for every process that follows the
// registry, each of which takes it within about two seconds. The name must be
// registered with this manager too, and the body is compiled on every master
// first. Of several pushes at once each gets a version of its own, and the last
// one is in force. The body in force again changes nothing.
//
// Errors: those of [Manager.UpdateScript], [ErrScriptVersion] if another version
// than the expected one is in force, and [ErrOutcomeUnknown].
func (m *Manager) PushScript(ctx context.Context, key string, push ScriptPush) (FleetChange, error) {
	keys, err := m.fleetFor(key, push.Name)
	if err != nil {
		return FleetChange{}, err
	}
	if err := push.validate(); err != nil {
		return FleetChange{}, err
	}
	entry := newScriptEntry(push.Script, 0)
	if err := m.compile(ctx, entry); err != nil {
		return FleetChange{}, err
	}
	reply, err := m.runFleet(ctx, fleetPush, []string{keys.registry, keys.versions, keys.bodies}, []any{
		push.Name, push.Source, entry.full.sha, digit(push.Idempotent), push.By, push.ExpectVersion, oldVersions,
	})
	return fleetChange(push.Name, push.ExpectVersion, reply, err)
}

func (p ScriptPush) validate() error {
	if len(p.By) > 128 || !isPrintable(p.By) {
		return &FieldError{Field: "by", Got: quoteShort(p.By), Want: "at most 128 printable bytes"}
	}
	if p.ExpectVersion < 0 {
		return &FieldError{Field: "expected version", Got: fmt.Sprint(p.ExpectVersion), Want: "1 or more, or 0 for any"}
	}
	return p.Script.validate()
}

// FleetRollback says what to go back to.
type FleetRollback struct {
	Name string // of the script
	// To is the version to put into force: 0 for the one that was before, 1 for
	// each process's own body.
	To int
	// ExpectVersion is the version that must be in force, 0 for any.
	ExpectVersion int
}

// RollbackFleetScript puts an older version into force for every process that
// follows the registry. Version 1 ends the override: each process runs its own
// body again. Errors are those of [Manager.PushScript]; a version that is not
// kept is [ErrScriptVersion].
func (m *Manager) RollbackFleetScript(ctx context.Context, key string, back FleetRollback) (FleetChange, error) {
	keys, err := m.fleetFor(key, back.Name)
	if err != nil {
		return FleetChange{}, err
	}
	if back.To < 0 || back.ExpectVersion < 0 {
		return FleetChange{}, &FieldError{Field: "version", Got: fmt.Sprint(min(back.To, back.ExpectVersion)), Want: "1 or more, or 0 for any"}
	}
	reply, err := m.runFleet(ctx, fleetRollback, []string{keys.registry, keys.versions}, []any{back.Name, back.To, back.ExpectVersion})
	change, err := fleetChange(back.Name, back.ExpectVersion, reply, err)
	if change.Version == 0 && err == nil {
		return FleetChange{}, fmt.Errorf("%w: %s has no such version to go back to (version %d is in force)", ErrScriptVersion, back.Name, change.Previous)
	}
	return change, err
}

// fleetFor checks what a change of a registry needs.
func (m *Manager) fleetFor(key, name string) (fleetKeys, error) {
	if err := m.mayUpdateScripts(); err != nil {
		return fleetKeys{}, err
	}
	if _, err := m.history(name); err != nil {
		return fleetKeys{}, err
	}
	return newFleetKeys(key)
}

// fleetChange reads {outcome, version in force, version before}. An absent
// version has Version 0.
func fleetChange(name string, expected int, reply any, err error) (FleetChange, error) {
	if err != nil {
		return FleetChange{}, err
	}
	words := texts(reply)
	if len(words) != 3 {
		return FleetChange{}, fmt.Errorf("%w: reply about script %s is %T with %d words", ErrMalformedData, name, reply, len(words))
	}
	change := FleetChange{Name: name, Version: wordNumber(words[1]), Previous: wordNumber(words[2])}
	switch words[0] {
	case "pushed", "rolled_back":
		change.Changed = true
	case "unchanged":
	case "absent":
		change.Version = 0
	case "unexpected":
		return FleetChange{}, fmt.Errorf("%w: version %d of %s is in force, not %d", ErrScriptVersion, change.Version, name, expected)
	default:
		return FleetChange{}, fmt.Errorf("%w: the record of script %s in the registry", ErrMalformedData, name)
	}
	return change, nil
}

func digit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

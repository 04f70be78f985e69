package redismanager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// fleetTimeout bounds one look at the registry, with all that follows from it.
const fleetTimeout = 5 * time.Second

// JoinScriptFleet lets this process run what the registry has in force, from
// before it returns until leave is called or the manager is closed. A change is
// taken about Poll later, as by [Manager.UpdateScript]: compiled on every master
// first, then at once for all calls. A body that is refused is reported and
// disturbs nothing; the process goes on with what it has, and tries again what
// failed because a server was away.
//
// What the registry has in force wins over the body that the process was built
// with, in a rolling deploy over that of the new program too, until version 1 is
// put into force. A change of the process' own ([Manager.UpdateScript]) wins
// until the registry's next change of that script.
//
// A registry that cannot be reached stops neither a start nor a running process:
// it is logged once, and asked again. One that has lost its data changes
// nothing. Errors are [ErrScriptUpdatesOff], [ErrInvalidArgument] and
// [ErrClosed]. leave takes the process off the list; the versions that are
// current stay.
func (m *Manager) JoinScriptFleet(ctx context.Context, fleet ScriptFleet) (leave func() error, err error) {
	if err := m.mayUpdateScripts(); err != nil {
		return nil, err
	}
	fleet = fleet.withDefaults()
	if err := fleet.validate(); err != nil {
		return nil, err
	}
	keys, err := newFleetKeys(fleet.Key)
	if err != nil {
		return nil, err
	}
	if m.isClosed.Load() {
		return nil, ErrClosed
	}
	f := &fleetFollower{m: m, keys: keys, ScriptFleet: fleet, taken: map[string]*takenScript{}, done: make(chan struct{})}
	f.look(ctx)
	life, cancel := context.WithCancel(m.life)
	if err := m.spawn(func() { f.follow(life) }); err != nil {
		cancel()
		return nil, err
	}
	return sync.OnceValue(func() error {
		cancel()
		<-f.done
		return f.leave()
	}), nil
}

// fleetFollower is one process in one fleet. It is used by one goroutine at a
// time.
type fleetFollower struct {
	ScriptFleet
	m    *Manager
	keys fleetKeys
	done chan struct{}

	revision string                  // of what was taken
	names    int                     // how many scripts were registered by then
	taken    map[string]*takenScript // by name, what the registry has put into force here
	down     bool                    // the last look failed
	lost     bool                    // the registry was there, and is not any more
	reported string                  // the last report
	told     time.Time               // when that was
}

// takenScript is what became of the version that the registry last asked for.
type takenScript struct {
	version int
	about   string // as the registry describes it
	err     error  // why it does not run
	again   bool   // it is worth another try

	entry   *scriptEntry // what the registry did put into force here, nil for nothing
	running int          // its version in the registry
}

func (f *fleetFollower) follow(life context.Context) {
	defer close(f.done)
	timer := time.NewTimer(f.pause())
	defer timer.Stop()
	for {
		select {
		case <-life.Done():
			return
		case <-timer.C:
			f.look(life)
			timer.Reset(f.pause())
		}
	}
}

// pause is Poll with jitter, so that the processes of a fleet do not ask in step.
func (f *fleetFollower) pause() time.Duration { return f.Poll*3/4 + rand.N(f.Poll/2) }

// look takes what has changed and reports, and logs the first and the last of
// several failures.
func (f *fleetFollower) look(ctx context.Context) {
	if f.m.mayUpdateScripts() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, fleetTimeout)
	defer cancel()
	err := f.take(ctx)
	err = errors.Join(err, f.report(ctx))
	if f.m.life.Err() != nil || errors.Is(err, context.Canceled) {
		return
	}
	switch {
	case err != nil && !f.down:
		f.m.log.Warn("the script registry cannot be followed; the current versions stay", "key", f.Key, "error", err)
	case err == nil && f.down:
		f.m.log.Info("the script registry is followed again", "key", f.Key)
	}
	f.down = err != nil
	if f.down {
		f.reported = "" // who knows what is left of it
	}
}

// take asks for the revision, and for the rest only if that has changed.
func (f *fleetFollower) take(ctx context.Context) error {
	value, err := f.m.Read(ctx, "hget", f.keys.registry, "revision")
	if err != nil {
		return err
	}
	revision, _ := value.(string)
	names := f.m.scripts.Len()
	if f.isLost(revision) || revision == f.revision && names == f.names {
		return nil
	}
	value, err = f.m.Read(ctx, "hgetall", f.keys.registry)
	if err != nil {
		return err
	}
	registry := pairs(value)
	var later []error
	for _, history := range f.m.scripts.sorted() {
		name := history.current.Name
		if err := f.takeScript(ctx, name, registry["script:"+name]); err != nil {
			later = append(later, err)
		}
	}
	if len(later) == 0 {
		f.revision, f.names = registry["revision"], names
	}
	return errors.Join(later...)
}

// isLost tells once of a registry whose data is gone, as after a restart of a
// server that keeps nothing. What runs goes on: an empty registry asks for
// nothing.
func (f *fleetFollower) isLost(revision string) bool {
	lost := revision == "" && f.revision != ""
	if lost && !f.lost {
		f.m.log.Warn("the script registry is gone; the current versions stay", "key", f.Key)
		f.reported = ""
	}
	f.lost = lost
	return lost
}

// takeScript brings one script to what the registry has in force. It returns
// only what should be tried again; another failure stands in the report.
func (f *fleetFollower) takeScript(ctx context.Context, name, record string) error {
	if record == "" {
		record = "1 1 -"
	}
	want, err := parseFleetRecord(record)
	if err != nil {
		return f.refuse(name, &takenScript{version: f.version(name), about: record}, err)
	}
	if want.current == 1 {
		return f.takeOwn(ctx, name)
	}
	field := fmt.Sprintf("%s@%d", name, want.current)
	value, err := f.m.Read(ctx, "hget", f.keys.versions, field)
	if err != nil {
		return err
	}
	about, _ := value.(string)
	old := f.taken[name]
	if old != nil && old.version == want.current && old.about == about && !old.again {
		return nil
	}
	next := &takenScript{version: want.current, about: about}
	script, err := f.fetch(ctx, name, field, next)
	if err != nil {
		return f.refuse(name, next, err)
	}
	return f.switchTo(ctx, next, scriptSwitch{
		name: name, kind: kindOfChange(f.version(name), want.current),
		pick: func(h *scriptHistory) (*scriptEntry, error) { return h.numbered(script, want.current), nil },
	})
}

// takeOwn goes back to the body that this process registered, if the registry
// had put another one into force.
func (f *fleetFollower) takeOwn(ctx context.Context, name string) error {
	if old := f.taken[name]; old == nil || old.version == 1 && !old.again {
		return nil
	}
	return f.switchTo(ctx, &takenScript{version: 1}, scriptSwitch{
		name: name, kind: EventScriptRolledBack,
		pick: func(h *scriptHistory) (*scriptEntry, error) { return h.first(), nil },
	})
}

// fetch reads a body and holds it against its SHA1.
func (f *fleetFollower) fetch(ctx context.Context, name, field string, next *takenScript) (Script, error) {
	about, err := parseFleetVersion(next.version, next.about)
	if err != nil {
		return Script{}, err
	}
	value, err := f.m.Read(ctx, "hget", f.keys.bodies, field)
	if err != nil {
		return Script{}, err
	}
	source, _ := value.(string)
	if sha := newBody(source).sha; sha != about.SHA {
		return Script{}, fmt.Errorf("%w: body %s in the registry has sha %s, not %s", ErrMalformedData, field, sha, about.SHA)
	}
	script := Script{Name: name, Source: source, Idempotent: about.Idempotent}
	return script, script.validate()
}

func (f *fleetFollower) switchTo(ctx context.Context, next *takenScript, s scriptSwitch) error {
	pick, picked := s.pick, (*scriptEntry)(nil)
	s.reason = fmt.Sprintf("registry %s, version %d", f.Key, next.version)
	s.pick = func(h *scriptHistory) (e *scriptEntry, err error) {
		picked, err = pick(h)
		return picked, err
	}
	if _, err := f.m.switchScript(ctx, s); err != nil {
		return f.refuse(s.name, next, err)
	}
	next.entry, next.running = picked, next.version
	f.taken[s.name] = next
	return nil
}

// refuse notes why a version does not run, tells of it once, and gives back
// what should be tried again.
func (f *fleetFollower) refuse(name string, next *takenScript, err error) error {
	old := f.taken[name]
	known := old != nil && old.err != nil && old.version == next.version && old.about == next.about
	next.err, next.again = err, Retryable(err) || errors.Is(err, context.Canceled)
	if old != nil {
		next.entry, next.running = old.entry, old.running
	}
	if !known {
		_ = f.m.tellRefused(name, fmt.Sprintf("registry %s, version %d", f.Key, next.version), err)
	}
	f.taken[name] = next
	if next.again {
		return fmt.Errorf("script %s version %d: %w", name, next.version, err)
	}
	return nil
}

// version is what the registry last asked for here.
func (f *fleetFollower) version(name string) int {
	if taken := f.taken[name]; taken != nil {
		return taken.version
	}
	return 1
}

func kindOfChange(from, to int) EventKind {
	if to < from {
		return EventScriptRolledBack
	}
	return EventScriptUpdated
}

// report says what runs here, when that has changed or the last report is old.
func (f *fleetFollower) report(ctx context.Context) error {
	text := f.describe()
	if text == f.reported && time.Since(f.told) < fleetReportEvery {
		return nil
	}
	_, err := f.m.runFleet(ctx, fleetReport, []string{f.keys.seen, f.keys.reports}, []any{f.Process, text, fleetMaxAge.Milliseconds()})
	if err == nil {
		f.reported, f.told = text, time.Now()
	}
	return err
}

// describe is the report. Map keys come out sorted, so equal states give equal
// texts.
func (f *fleetFollower) describe() string {
	report := processReport{Scripts: map[string]reportedScript{}}
	for _, history := range f.m.scripts.sorted() {
		current, taken := history.current, f.taken[history.current.Name]
		row := reportedScript{SHA: current.full.sha}
		switch {
		case taken != nil && taken.entry == current:
			row.Version = taken.running
		case current == history.first():
			row.Version = 1
		}
		if taken != nil && taken.err != nil {
			row.Error = firstBytes(taken.err.Error(), 300)
		}
		report.Scripts[current.Name] = row
	}
	text, err := json.Marshal(report)
	if err != nil { // strings and numbers always encode
		return "{}"
	}
	return string(text)
}

// firstBytes shortens a text, between two characters.
func firstBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}

// leave takes the process off the list. A manager that is closed has nobody to
// ask: the list forgets the process by itself.
func (f *fleetFollower) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), fleetTimeout)
	defer cancel()
	_, err := f.m.runFleet(ctx, fleetLeave, []string{f.keys.seen, f.keys.reports}, []any{f.Process})
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

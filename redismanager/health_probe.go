package redismanager

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// replicaScript proves that a replica runs Lua: it says that it does not write.
var replicaScript = newScriptEntry(Script{Name: "replica_health", Source: "#!lua flags=no-writes\nreturn 1\n"}, 1)

// target is one node to check.
type target struct {
	addr   string
	of     string // its master's address; "" for a master
	marker string // key of the marker; "" for a replica
}

func (t target) isMaster() bool { return t.of == "" }

// finding is what one node answered.
type finding struct {
	target
	latency     time.Duration
	err         error // the node does not run scripts
	unpermitted bool  // it answers, but the user may not run scripts
	info        nodeInfo
	missing     int      // registered scripts that it lacked
	loaded      []string // those that it was given
	loadErr     error    // why it was not given the others
	mark        markerFinding
}

// prober asks one node.
type prober struct {
	h *HealthChecker
	g *generation
	c *redis.Client
}

// probe checks one node. A connection that broke since the last check is no
// failure: there is a second try on a new one.
func (h *HealthChecker) probe(ctx context.Context, g *generation, t target) finding {
	clients := h.memory.probes
	f := (&prober{h, g, clients.get(t.addr)}).check(ctx, t)
	if isBroken(f.err) {
		clients.renew(t.addr)
		f = (&prober{h, g, clients.get(t.addr)}).check(ctx, t)
	}
	if f.err != nil {
		clients.renew(t.addr)
	}
	return f
}

// isBroken reports a connection that ended, other than by a timeout, after it
// had been opened.
func isBroken(err error) bool {
	if _, replied := replyInChain(err); replied {
		return false
	}
	return err != nil && !isDialError(err) && !isTimeout(err) && !errors.Is(err, ErrMalformedData)
}

func (p *prober) check(ctx context.Context, t target) finding {
	f := finding{target: t}
	start := time.Now()
	isMoving := p.runScript(ctx, &f)
	f.latency = time.Since(start)
	if f.err != nil {
		return f
	}
	p.askInfo(ctx, &f)
	if t.isMaster() && !f.unpermitted {
		p.askScripts(ctx, &f)
	}
	if t.isMaster() && !isMoving && !p.h.policy.NoMarker {
		p.askMarker(ctx, &f)
	}
	return f
}

// runScript runs a script on the node. In a Cluster the one of a master has a
// key, because only then the node looks whether the Cluster is up. A slot on the
// move is no failure of the node.
func (p *prober) runScript(ctx context.Context, f *finding) (isMoving bool) {
	entry, keys := replicaScript, []string(nil)
	if f.isMaster() {
		entry = healthScript
	}
	if f.isMaster() && p.g.cfg.Mode == ModeCluster && !p.h.rights.lacks(f.addr, rightKey) {
		keys = []string{f.marker}
	}
	if p.h.rights.lacks(f.addr, rightScript) {
		p.greet(ctx, f)
		return false
	}
	a := p.g.runOn(ctx, p.c, entry, keys)
	if len(keys) > 0 && isNotPermitted(a.err) {
		p.note(f.addr, rightKey)
		a = p.g.runOn(ctx, p.c, entry, nil)
	}
	if _, _, redirected := redirect(a); redirected {
		isMoving = true
		p.g.view.want()
		a = p.g.runOn(ctx, p.c, entry, nil)
	}
	if isNotPermitted(a.err) {
		p.note(f.addr, rightScript)
		f.unpermitted = true
		return isMoving
	}
	f.err = answeredOne(a)
	return isMoving
}

// greet asks a node that may not be given a script at least for a sign of life.
func (p *prober) greet(ctx context.Context, f *finding) {
	f.unpermitted = true
	if a := sendTo(ctx, p.c, []any{"hello"}); a.err != nil {
		f.err = explain(a, true)
	}
}

// note remembers a missing permission and says so once.
func (p *prober) note(addr, right string) {
	if p.h.rights.note(addr, right) {
		p.h.m.log.Info("the health check lacks a permission", "right", right, "node", addr)
	}
}

// request asks something that the user may lack the right for.
func (p *prober) request(ctx context.Context, addr, right string, args ...any) (value any, ok bool) {
	if p.h.rights.lacks(addr, right) {
		return nil, false
	}
	a := sendTo(ctx, p.c, args)
	if isNotPermitted(a.err) {
		p.note(addr, right)
	}
	return a.value, a.err == nil
}

func (p *prober) askInfo(ctx context.Context, f *finding) {
	value, ok := p.request(ctx, f.addr, rightInfo, infoSections...)
	text, isText := value.(string)
	if ok && isText {
		f.info = parseNodeInfo(text)
	}
}

// askScripts asks a master which scripts it lacks, and loads them.
func (p *prober) askScripts(ctx context.Context, f *finding) {
	entries := p.h.m.scripts.all()
	if len(entries) == 0 {
		return
	}
	question := []any{"script", "exists"}
	for _, e := range entries {
		question = append(question, e.forServer(p.g.plain).sha)
	}
	value, ok := p.request(ctx, f.addr, rightExists, question...)
	answers, isList := value.([]any)
	if !ok || !isList || len(answers) != len(entries) {
		return
	}
	for i, e := range entries {
		if answers[i] != int64(1) {
			f.missing++
			p.repair(ctx, f, e)
		}
	}
}

func (p *prober) repair(ctx context.Context, f *finding, e *scriptEntry) {
	if p.h.rights.lacks(f.addr, rightLoad) {
		f.loadErr = fmt.Errorf("%w: no permission for script|load", ErrAuth)
		return
	}
	err := p.g.loadOn(ctx, p.c, f.addr, e)
	if err == nil {
		f.loaded = append(f.loaded, e.Name)
		return
	}
	f.loadErr = err
	if errors.Is(err, ErrAuth) {
		p.note(f.addr, rightLoad)
	}
}

// markerFinding is what became of the question for a marker.
type markerFinding struct {
	isKnown bool   // the question was answered
	found   string // the epoch in it, "" if it was not there
	now     string // the epoch in it from now on, "" if it could not be set
}

// askMarker reads the marker and makes one if there is none. Of several programs
// that do so at once the first one's counts for all.
func (p *prober) askMarker(ctx context.Context, f *finding) {
	key := f.marker
	value, ok := p.request(ctx, f.addr, rightMarker, "get", key)
	if !ok {
		return
	}
	f.mark.isKnown = true
	if f.mark.found, _ = value.(string); f.mark.found != "" {
		f.mark.now = f.mark.found
		return
	}
	epoch := rand.Text()
	value, ok = p.request(ctx, f.addr, rightMarker, "set", key, epoch, "nx")
	if ok && value != nil {
		f.mark.now = epoch
	} else if ok {
		value, _ = p.request(ctx, f.addr, rightMarker, "get", key)
		f.mark.now, _ = value.(string)
	}
}

package redismanager

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// on sends the transaction to one node, over one connection.
//
// MULTI has a round trip of its own: a server that refuses it (a user without
// the permission, a proxy) would run the items one by one. Until EXEC is written
// nothing can be applied: a server drops a transaction whose connection ends.
// EXEC is written once, by a one-shot; the client of a node has no retries, and
// its TxPipeline is not used because it would send all at once.
func (t *txRun) on(ctx context.Context, n *node, plain, asking bool) attempt {
	p := n.acquire()
	if p == nil {
		return attempt{err: errNodeGone, node: n.addr}
	}
	defer p.release()
	conn := p.Conn()
	defer func() { _ = conn.Close() }() // back into the pool, unless it failed
	s := &txSend{t: t, n: n, client: p.Client, conn: conn, plain: plain, asking: asking, start: time.Now()}
	a := s.send(ctx)
	if a.err != nil && n.scripts.mayEval() && s.isEvalRefused() {
		n.scripts.refuseEval() // nothing was applied: again, by SHA
		a = s.send(ctx)
	}
	return a
}

// txSend is one transaction on one connection.
type txSend struct {
	t             *txRun
	n             *node
	client        *redis.Client
	conn          *redis.Conn
	plain, asking bool
	start         time.Time
}

func (s *txSend) send(ctx context.Context) attempt {
	for i := range s.t.jobs {
		s.t.jobs[i].last = attempt{}
	}
	for _, step := range []func(context.Context) error{s.makeSure, s.begin} {
		if err := step(ctx); err != nil {
			return s.attempt(ctx, err, false) // EXEC was not sent
		}
	}
	return s.commit(ctx)
}

func (s *txSend) attempt(ctx context.Context, err error, written bool) attempt {
	a := attempt{err: err, written: written || isServerError(err), node: s.n.addr, client: s.client}
	return a.finish(ctx, s.start)
}

// scripts lists the scripts of the transaction, each once.
func (s *txSend) scripts() []body {
	var list []body
	seen := map[*scriptEntry]bool{}
	for i := range s.t.jobs {
		if j := &s.t.jobs[i]; j.script != nil && !seen[j.script.entry] {
			seen[j.script.entry] = true
			list = append(list, j.script.entry.forServer(s.plain))
		}
	}
	return list
}

// makeSure loads the scripts that the node is not known to have: one that does
// not compile would fail among others that run. By SHA alone the node must have
// them now, so it is asked each time.
func (s *txSend) makeSure(ctx context.Context) error {
	bodies := s.scripts()
	if s.n.scripts.mayEval() {
		bodies = s.n.scripts.unknown(bodies)
	}
	if len(bodies) == 0 {
		return nil
	}
	refused := map[string]error{}
	if s.n.scripts.mayLoad() {
		refused = s.n.scripts.load(ctx, s.conn, bodies)
	}
	if s.n.scripts.mayLoad() {
		return s.refusal(refused)
	}
	if s.n.scripts.mayEval() {
		return nil
	}
	return s.exist(ctx, bodies)
}

// refusal notes which scripts the node did not take and gives the first error.
func (s *txSend) refusal(refused map[string]error) error {
	if err := lostLoad(refused); err != nil {
		return err
	}
	var first error
	for i := range s.t.jobs {
		j := &s.t.jobs[i]
		if j.script == nil {
			continue
		}
		err := refused[j.script.entry.forServer(s.plain).sha]
		if err != nil {
			j.last = attempt{err: err, written: true, node: s.n.addr, client: s.client}
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// exist refuses a transaction of scripts that the node lacks and may not be given.
func (s *txSend) exist(ctx context.Context, bodies []body) error {
	args := []any{"script", "exists"}
	for _, b := range bodies {
		args = append(args, b.sha)
	}
	cmd := newOneShot(ctx, args)
	if err := s.conn.Process(ctx, cmd); err != nil {
		return err
	}
	list, _ := cmd.Val().([]any)
	for i, b := range bodies {
		if i >= len(list) || list[i] != int64(1) {
			return s.refusal(map[string]error{b.sha: replyText(redis.Nil, noScript+": the node lacks it, and the user may neither EVAL nor SCRIPT LOAD")})
		}
	}
	return nil
}

// begin sends MULTI, after ASKING if the node is taking the slot over: then all
// of the transaction may use the slot.
func (s *txSend) begin(ctx context.Context) error {
	pipe := s.conn.Pipeline()
	if s.asking {
		_ = pipe.Process(ctx, newOneShot(ctx, []any{"asking"}))
	}
	multi := newOneShot(ctx, []any{"multi"})
	_ = pipe.Process(ctx, multi)
	_, _ = pipe.Exec(ctx) // each command has its own error
	return multi.Err()
}

// commit sends the items and EXEC.
func (s *txSend) commit(ctx context.Context) attempt {
	pipe := s.conn.Pipeline()
	shots := make([]*rawShot, len(s.t.jobs))
	sourceSent := map[*scriptEntry]bool{}
	for i := range s.t.jobs {
		shots[i] = newRawShot(ctx, s.command(&s.t.jobs[i], sourceSent))
		_ = pipe.Process(ctx, shots[i])
	}
	exec := newRawShot(ctx, []any{"exec"})
	_ = pipe.Process(ctx, exec)
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i, shot := range shots {
		if a := shot.attempt(ctx, s.start, s.client); isServerError(a.err) {
			s.t.jobs[i].last = a
		}
	}
	a := exec.attempt(ctx, s.start, s.client)
	if a.err == nil {
		return s.read(ctx, a)
	}
	if cause := s.t.cause(); cause != nil { // EXEC refuses, whether its reply came or not
		return *cause
	}
	return a.withoutAbort()
}

// command is what to send of an item. The first of each script carries the
// source: a node that has forgotten it (SCRIPT FLUSH) would answer the SHA with
// NOSCRIPT when the others of the transaction have run. Nothing can come between
// that first one and the later ones.
func (s *txSend) command(j *job, sourceSent map[*scriptEntry]bool) []any {
	if j.script == nil || !s.n.scripts.mayEval() {
		return j.command(s.plain, false)
	}
	again := sourceSent[j.script.entry]
	sourceSent[j.script.entry] = true
	return j.command(s.plain, !again)
}

// read gives each item its part of the answer to EXEC.
func (s *txSend) read(ctx context.Context, a attempt) attempt {
	list, ok := a.value.([]any)
	if !ok || len(list) != len(s.t.jobs) {
		err := fmt.Errorf("%w: EXEC of %d items answered %T of %d", ErrMalformedData, len(s.t.jobs), a.value, len(list))
		return s.attempt(ctx, err, true)
	}
	for i, value := range list {
		item := attempt{value: value, written: true, node: a.node, client: a.client}
		if err, failed := value.(redis.Error); failed {
			item.value, item.err = nil, err
		}
		s.t.jobs[i].last = item
	}
	a.value = nil
	return a
}

// cause picks of the items that the server refused to queue the one that says
// best what to do: one that will not go better, then where to go, then any.
func (t *txRun) cause() *attempt {
	var best *attempt
	rank := func(a *attempt) int {
		_, _, sentOn := redirect(*a)
		switch {
		case sentOn:
			return 1
		case isOutage(*a), isHalfMoved(*a):
			return 2
		default:
			return 0
		}
	}
	for i := range t.jobs {
		if a := &t.jobs[i].last; a.err != nil && (best == nil || rank(a) < rank(best)) {
			best = a
		}
	}
	return best
}

// withoutAbort reads why EXEC itself was refused: "EXECABORT Transaction
// discarded because of: LOADING ...".
func (a attempt) withoutAbort() attempt {
	if !isServerError(a.err) {
		return a
	}
	if _, why, found := strings.Cut(a.err.Error(), "EXECABORT Transaction discarded because of: "); found {
		a.err = replyText(redis.Nil, why)
	}
	return a
}

// isEvalRefused reports that the user may run scripts by SHA only.
func (s *txSend) isEvalRefused() bool {
	for i := range s.t.jobs {
		err := s.t.jobs[i].last.err
		if isServerError(err) && errors.Is(serverClass(err.Error()), ErrAuth) && strings.Contains(err.Error(), "'eval'") {
			return true
		}
	}
	return false
}

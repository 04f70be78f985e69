package reliability

import (
	"context"
	"sync/atomic"

	"github.com/statelink/statelink"
)

// Linker is what can link a uid to a pod: the library, or a plain client.
type Linker interface {
	// Set links and gives the previous pod.
	Set(ctx context.Context, uid string, pod int) (previous int, err error)
	// Get gives the linked pod, or statelink.NoPod.
	Get(ctx context.Context, uid string) (int, error)
}

// Links is a load on links: each caller owns one uid, sets its link in one call
// and reads it in the next. As nobody else changes the link, it knows what each
// answer may be.
type Links struct {
	on     Linker
	judge  func(error) Outcome
	owners []owner
	uids   []string

	// Lost counts answers from before a change that was acknowledged; Wrong those
	// that never were true: another caller's pod, one that was reported as not
	// linked, or one that nobody asked for.
	Lost, Wrong atomic.Int64
}

// NewLinks makes the load for one caller per uid. judge reads the errors of on.
func NewLinks(on Linker, uids []string, judge func(error) Outcome) *Links {
	l := &Links{on: on, judge: judge, uids: uids, owners: make([]owner, len(uids))}
	for i := range l.owners {
		l.owners[i] = newOwner(i)
	}
	return l
}

// Call is the n-th call of a caller, for [Load].
func (l *Links) Call(ctx context.Context, caller, n int) error {
	if n%2 == 0 {
		return l.set(ctx, caller)
	}
	pod, err := l.on.Get(ctx, l.uids[caller])
	if err == nil {
		l.note(l.owners[caller].judge(pod))
	}
	return err
}

// set also judges the previous pod that the answer names.
func (l *Links) set(ctx context.Context, caller int) error {
	o := &l.owners[caller]
	pod := o.next()
	previous, err := l.on.Set(ctx, l.uids[caller], pod)
	if err == nil {
		l.note(o.judge(previous))
	}
	o.wrote(pod, l.judge(err))
	return err
}

// Check reads every link once more, with the eyes of read, and counts what was lost.
func (l *Links) Check(read func(uid string) (pod int, err error)) error {
	for i, uid := range l.uids {
		pod, err := read(uid)
		if err != nil {
			return err
		}
		l.note(l.owners[i].judge(pod))
	}
	return nil
}

func (l *Links) note(v verdict) {
	switch v {
	case lost:
		l.Lost.Add(1)
	case wrong:
		l.Wrong.Add(1)
	case right:
	}
}

// verdict is what an answer is worth.
type verdict int

const (
	right verdict = iota
	lost
	wrong
)

// podsPerCaller keeps the pods of different callers apart.
const podsPerCaller = 1_000_000

// owner is the only one who changes a link, and so knows what it may be.
type owner struct {
	base, tried int
	acked       int              // the last pod that was acknowledged
	maybe       map[int]struct{} // pods whose outcome is unknown: each may still come
	refused     map[int]struct{} // pods that surely were not linked
}

func newOwner(caller int) owner {
	base := caller * podsPerCaller
	return owner{base: base, tried: base, acked: statelink.NoPod, maybe: map[int]struct{}{}, refused: map[int]struct{}{}}
}

// next gives the pod to link to now, a new one each time.
func (o *owner) next() int {
	o.tried++
	return o.tried
}

func (o *owner) wrote(pod int, outcome Outcome) {
	switch outcome {
	case OK, Applied:
		o.acked = pod
	case Unknown:
		o.maybe[pod] = struct{}{}
	case NotApplied:
		o.refused[pod] = struct{}{}
	}
}

// judge says what an answer is worth. What was lost once is known afterwards.
func (o *owner) judge(pod int) verdict {
	_, maybe := o.maybe[pod]
	_, refused := o.refused[pod]
	switch {
	case pod == o.acked, maybe:
		return right
	case pod == statelink.NoPod:
	case pod <= o.base, pod > o.tried, refused:
		return wrong
	}
	o.acked = pod
	return lost
}

package statelink

import (
	"context"
	"slices"
	"sync/atomic"
)

// Op is one operation of an [Executor], as an [Observer] sees it.
type Op struct {
	// Name is the method's name in snake case, such as set_linked_pod.
	Name      string
	Namespace string
	Service   string // "" for an operation on several services or on none
	// UID is the linked user, "" for an operation on several or on none. It is
	// personal data and has too many values for a label: record it on purpose
	// only.
	UID string
	// Pod is the pod that was given, or NoPod.
	Pod int
	// Items is how many uids or services a batch was given, else 0.
	Items int
	// Changes reports whether the operation may change something.
	Changes bool
}

// Observer hears of operations, for metrics and traces. Begin is called before
// an operation; it may put a span into the context that it returns. The
// function that it returns is called once, with the operation's error. Both are
// called by many goroutines and must return at once.
type Observer interface {
	Begin(ctx context.Context, op Op) (context.Context, func(err error))
}

// observers is shared by an executor and those derived from it.
type observers struct{ list atomic.Pointer[[]*Observer] }

// AddObserver lets o hear of operations from now on, until remove is called.
// Executors made from this one are heard too.
func (e *Executor) AddObserver(o Observer) (remove func()) {
	entry := &o
	e.observers.change(func(list []*Observer) []*Observer { return append(list, entry) })
	return func() {
		e.observers.change(func(list []*Observer) []*Observer {
			return slices.DeleteFunc(list, func(known *Observer) bool { return known == entry })
		})
	}
}

func (v *observers) change(edit func([]*Observer) []*Observer) {
	for {
		old := v.list.Load()
		var next []*Observer
		if old != nil {
			next = slices.Clone(*old)
		}
		next = edit(next)
		if v.list.CompareAndSwap(old, &next) {
			return
		}
	}
}

// running is an operation that has begun.
type running struct{ ends []func(error) }

// begin tells the observers of an operation. The result's end must be deferred.
func (e *Executor) begin(ctx context.Context, op Op) (context.Context, running) {
	list := e.observers.list.Load()
	if list == nil || len(*list) == 0 {
		return ctx, running{}
	}
	r := running{ends: make([]func(error), len(*list))}
	for i, o := range *list {
		ctx, r.ends[i] = (*o).Begin(ctx, op)
	}
	return ctx, r
}

func (r running) end(err *error) {
	for _, end := range slices.Backward(r.ends) {
		end(*err)
	}
}

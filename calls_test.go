package statelink_test

import (
	"context"
	"time"

	"github.com/statelink/statelink"
)

const forever = statelink.PersistForever

// params are the arguments of any method.
type params struct {
	ns, uid, service string
	pod, persist     int
	state            string
	load             int64
	routing          statelink.Routing
	maxAge           time.Duration
	limit            int
	workload         string
}

// validParams are arguments that every method accepts.
func validParams(ns string) params {
	return params{
		ns: ns, uid: "alice", service: "chat", pod: 3, persist: forever,
		state: "7-0-1", load: 7, routing: statelink.RoutingReady, maxAge: time.Minute, limit: 10, workload: "upgrading",
	}
}

// method is one method of the executor, called with the params that it takes.
type method struct {
	name   string
	fields []string // what it checks, by the name that a FieldError gives
	keys   string   // what it works on: link, states or workload
	call   func(ctx context.Context, e *statelink.Executor, p params) error
}

// methods are all methods that reach Redis.
var methods = []method{
	{"SetServiceState", []string{"namespace", "service", "pod", "state"}, "states", func(ctx context.Context, e *statelink.Executor, p params) error {
		return e.SetServiceState(ctx, p.ns, p.service, p.pod, p.state)
	}},
	{"ReportPodState", []string{"namespace", "service", "pod", "load", "routing"}, "states", func(ctx context.Context, e *statelink.Executor, p params) error {
		return e.ReportPodState(ctx, p.ns, p.service, p.pod, p.load, p.routing)
	}},
	{"GetServiceState", []string{"namespace", "service"}, "states", func(ctx context.Context, e *statelink.Executor, p params) error {
		_, err := e.GetServiceState(ctx, p.ns, p.service)
		return err
	}},
	{"PodStates", []string{"namespace", "service"}, "states", func(ctx context.Context, e *statelink.Executor, p params) error {
		_, _, err := e.PodStates(ctx, p.ns, p.service)
		return err
	}},
	{"ReadyPods", []string{"namespace", "service", "maxAge", "limit"}, "states", func(ctx context.Context, e *statelink.Executor, p params) error {
		_, err := e.ReadyPods(ctx, p.ns, p.service, p.maxAge, p.limit)
		return err
	}},
	{"SetWorkloadState", []string{"namespace", "service", "workload state"}, "workload", func(ctx context.Context, e *statelink.Executor, p params) error {
		return e.SetWorkloadState(ctx, p.ns, p.service, p.workload)
	}},
	{"GetWorkloadState", []string{"namespace", "service"}, "workload", func(ctx context.Context, e *statelink.Executor, p params) error {
		_, err := e.GetWorkloadState(ctx, p.ns, p.service)
		return err
	}},
	{"GetWorkloadStateBatch", []string{"namespace", "service"}, "workload", func(ctx context.Context, e *statelink.Executor, p params) error {
		_, err := e.GetWorkloadStateBatch(ctx, p.ns, []string{"first", p.service, "last"})
		return err
	}},
	{"SetLinkedPod", []string{"namespace", "uid", "service", "pod", "persistSeconds"}, "link", func(ctx context.Context, e *statelink.Executor, p params) error {
		_, err := e.SetLinkedPod(ctx, p.ns, p.uid, p.service, p.pod, p.persist)
		return err
	}},
	{"TrySetLinkedPod", []string{"namespace", "uid", "service", "pod", "persistSeconds"}, "link", func(ctx context.Context, e *statelink.Executor, p params) error {
		_, _, err := e.TrySetLinkedPod(ctx, p.ns, p.uid, p.service, p.pod, p.persist)
		return err
	}},
	{"SetLinkedPodIfAbsent", []string{"namespace", "uid", "service", "pod", "persistSeconds"}, "link", func(ctx context.Context, e *statelink.Executor, p params) error {
		_, err := e.SetLinkedPodIfAbsent(ctx, p.ns, p.uid, p.service, p.pod, p.persist)
		return err
	}},
	{"GetLinkedPod", []string{"namespace", "uid", "service"}, "link", func(ctx context.Context, e *statelink.Executor, p params) error {
		_, err := e.GetLinkedPod(ctx, p.ns, p.uid, p.service)
		return err
	}},
	{"GetLinkedPodIfPersist", []string{"namespace", "uid", "service"}, "link", func(ctx context.Context, e *statelink.Executor, p params) error {
		_, err := e.GetLinkedPodIfPersist(ctx, p.ns, p.uid, p.service)
		return err
	}},
	{"BatchGetLinkedPod", []string{"namespace", "uid", "service"}, "link", func(ctx context.Context, e *statelink.Executor, p params) error {
		_, err := e.BatchGetLinkedPod(ctx, p.ns, []string{"first", p.uid, "last"}, p.service)
		return err
	}},
	{"RemoveLinkedPod", []string{"namespace", "uid", "service", "removal"}, "link", func(ctx context.Context, e *statelink.Executor, p params) error {
		_, err := e.RemoveLinkedPod(ctx, p.ns, p.uid, p.service, p.persist)
		return err
	}},
	{"RemoveLinkedPodWithId", []string{"namespace", "uid", "service", "removal", "pod"}, "link", func(ctx context.Context, e *statelink.Executor, p params) error {
		_, err := e.RemoveLinkedPodWithId(ctx, p.ns, p.uid, p.service, p.persist, p.pod)
		return err
	}},
	{"GetLinkService", []string{"namespace", "uid"}, "link", func(ctx context.Context, e *statelink.Executor, p params) error {
		_, err := e.GetLinkService(ctx, p.ns, p.uid)
		return err
	}},
	{"ComputeLinkedPodIfAbsent", []string{"namespace", "uid", "service", "persistSeconds"}, "link", func(ctx context.Context, e *statelink.Executor, p params) error {
		_, err := e.ComputeLinkedPodIfAbsent(ctx, p.ns, p.uid, p.service, p.persist)
		return err
	}},
}

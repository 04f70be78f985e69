package cli

import (
	"context"
	"sync"
	"time"

	"github.com/statelink/statelink"
)

// demoPod is a pod that keeps reporting its load, until it dies.
type demoPod struct {
	index int
	die   context.CancelFunc

	mu   sync.Mutex // one report at a time: an older load must not overtake a newer one
	load int64
}

// report stores the pod's load after adding users to it.
func (d *demo) report(ctx context.Context, pod *demoPod, users int64) error {
	pod.mu.Lock()
	defer pod.mu.Unlock()
	pod.load += users
	return d.s.exec.ReportPodState(ctx, d.namespace, mainService, pod.index, pod.load, statelink.RoutingReady)
}

// startPods is step 1.
func (d *demo) startPods(ctx context.Context, r *stepReport) error {
	for _, pod := range d.pods {
		if err := d.report(ctx, pod, 0); err != nil {
			return err
		}
		var life context.Context
		life, pod.die = context.WithCancel(ctx)
		d.beats.Go(func() { d.keepReporting(life, pod) })
	}
	ready, err := d.s.exec.ReadyPods(ctx, d.namespace, mainService, demoMaxAge, 0)
	if err != nil {
		return err
	}
	r.equal("pods that are ready, with a fresh heartbeat", len(d.pods), len(ready))
	return nil
}

// keepReporting is the heartbeat. One that fails is a missed one: the checks
// see what comes of it.
func (d *demo) keepReporting(ctx context.Context, pod *demoPod) {
	ticker := time.NewTicker(demoBeat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = d.report(ctx, pod, 0)
		case <-ctx.Done():
			return
		}
	}
}

func (d *demo) stopPods() {
	for _, pod := range d.pods {
		if pod.die != nil {
			pod.die()
		}
	}
	d.beats.Wait()
}

// spread reads back how many users each pod has, by the links, and what load it
// has reported.
func (d *demo) spread(ctx context.Context, links []int) ([]podSpread, error) {
	states, now, err := d.s.exec.PodStates(ctx, d.namespace, mainService)
	if err != nil {
		return nil, err
	}
	spread := make([]podSpread, len(d.pods))
	for i := range spread {
		spread[i].Pod = i
	}
	for _, pod := range links {
		if pod >= 0 && pod < len(spread) {
			spread[pod].Users++
		}
	}
	for _, state := range states {
		if state.Pod < len(spread) {
			spread[state.Pod].Load = state.Load
			spread[state.Pod].Alive = now.Sub(state.Heartbeat) <= demoMaxAge
		}
	}
	return spread, nil
}

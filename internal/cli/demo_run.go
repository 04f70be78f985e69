package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/statelink/statelink"
)

// The services of the demo. Every user is placed for the first; one user gets
// links of the others too.
const (
	mainService = "room"
	tempService = "call"
)

var moreServices = []string{"chat", "inbox"}

// demo is the story and its cast. The steps come one after the other; within a
// step several callers may work at the same time.
type demo struct {
	s         *session
	flags     demoFlags
	namespace string
	random    *rand.Rand // for the steps only, not for what runs beside them
	users     []string
	placed    []int // the pod of each user, as the callers were told; NoPod for none
	pods      []*demoPod
	beats     sync.WaitGroup
	callers   int // how many place users at the same time
	expired   int // the user whose link expires, -1 before
	listed    int // the user with links of several services, -1 before
}

func newDemo(s *session, f demoFlags) *demo {
	random := rand.New(rand.NewPCG(uint64(f.seed), 0))
	d := &demo{
		s: s, flags: f, random: random, namespace: fmt.Sprintf("demo-%010x", random.Uint64()>>24),
		callers: min(1+f.users/100, 16), expired: -1, listed: -1,
	}
	width := len(fmt.Sprint(f.users))
	for i := range f.users {
		d.users = append(d.users, fmt.Sprintf("user-%0*d", width, i+1))
		d.placed = append(d.placed, statelink.NoPod)
	}
	for i := range f.pods {
		d.pods = append(d.pods, &demoPod{index: i})
	}
	return d
}

// demoStep is one part of the story. It reports what it expected and found; its
// error says that it could not go on.
type demoStep struct {
	title string
	run   func(ctx context.Context, r *stepReport) error
}

func (d *demo) steps() []demoStep {
	return []demoStep{
		{"Pods report that they are ready", d.startPods},
		{count(d.flags.users, "user") + " arrive; each is placed on the least-loaded pod", d.placeUsers},
		{"Callers find the pod of every user", d.findUsers},
		{"Another pod tries to take a user, and is refused", d.refuseTakeover},
		{"A pod dies: its users move, the others stay", d.survivePodDeath},
		{"A user leaves: the link becomes temporary and expires", d.expireLink},
		{"One user has links of several services", d.listServices},
	}
}

var errUnexpected = errors.New("not as expected")

// run tells the story up to the first step that is not as expected, and cleans
// up in any case.
func (d *demo) run(ctx context.Context, show *demoPrinter) *demoReport {
	start := time.Now()
	report := d.newReport()
	show.begin(report)
	if report.err = d.takeNamespace(ctx); report.err == nil {
		d.runSteps(ctx, report, show)
		d.stopPods()
		d.cleanUp(ctx, report)
		show.cleaned(report)
	}
	if report.OK = report.err == nil; !report.OK {
		report.Error = oneLine(report.err)
	}
	report.Seconds = time.Since(start).Round(time.Millisecond).Seconds()
	show.end(report)
	return report
}

func (d *demo) runSteps(ctx context.Context, report *demoReport, show *demoPrinter) {
	for i, step := range d.steps() {
		r := &stepReport{Number: i + 1, Title: step.title, Checks: []stepCheck{}}
		err := step.run(ctx, r)
		if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		r.finish(err)
		report.Steps = append(report.Steps, r)
		show.step(r)
		switch {
		case err != nil:
			report.err = fmt.Errorf("demo, step %d: %w", r.Number, err)
			return
		case !r.OK:
			report.err = fmt.Errorf("demo, step %d: %w", r.Number, errUnexpected)
			return
		}
	}
}

// forUsers does the work for the users 0 to n-1, several at the same time, and
// stops at the first error.
func (d *demo) forUsers(ctx context.Context, n int, work func(ctx context.Context, user int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var callers sync.WaitGroup
	for range min(d.callers, n) {
		callers.Go(func() {
			for user := int(next.Add(1)) - 1; user < n && ctx.Err() == nil; user = int(next.Add(1)) - 1 {
				if err := work(ctx, user); err != nil {
					cancel(err)
				}
			}
		})
	}
	callers.Wait()
	return context.Cause(ctx)
}

// links reads from the store which pod each user of the main service is linked
// to, NoPod for none.
func (d *demo) links(ctx context.Context) ([]int, error) {
	byPod, err := d.s.exec.BatchGetLinkedPod(ctx, d.namespace, d.users, mainService)
	if err != nil {
		return nil, err
	}
	return podsOf(d.users, byPod), nil
}

// podsOf turns the answer to a batch around. A user who is missing in it has no
// pod.
func podsOf(users []string, byPod map[int][]string) []int {
	podOf := make(map[string]int, len(users))
	for pod, linked := range byPod {
		for _, user := range linked {
			podOf[user] = pod
		}
	}
	pods := make([]int, len(users))
	for i, user := range users {
		pod, found := podOf[user]
		if !found {
			pod = statelink.NoPod
		}
		pods[i] = pod
	}
	return pods
}

// linkOf reads the link of one user to the main service.
func (d *demo) linkOf(ctx context.Context, user int) (int, error) {
	return d.s.exec.GetLinkedPod(ctx, d.namespace, d.users[user], mainService)
}

func podName(pod int) string {
	if pod == statelink.NoPod {
		return "no pod"
	}
	return fmt.Sprintf("pod %d", pod)
}

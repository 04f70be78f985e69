package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/statelink/statelink"
)

func (p *program) podCommand() *cobra.Command {
	group := p.group("pod", "Look at the pods of a service and report for one",
		"Pods report their load and whether they take users; each report is a heartbeat,\nstamped by the server's clock. Without one a pod soon counts as dead.", `  statelink pod ls room
  statelink pod report room 2 --load 40 --routing ready`)
	group.AddCommand(p.podListCommand(), p.podReportCommand())
	return group
}

type podList struct {
	Namespace  string    `json:"namespace"`
	Service    string    `json:"service"`
	ServerTime time.Time `json:"server_time"`
	Pods       []podView `json:"pods"`
}

type podView struct {
	Pod          int               `json:"pod"`
	Load         int64             `json:"load"`
	Routing      statelink.Routing `json:"routing"`
	HeartbeatAge int64             `json:"heartbeat_age_ms"`
	Alive        bool              `json:"alive"`
}

func (p *program) podListCommand() *cobra.Command {
	maxAge := statelink.DefaultPodMaxAge
	cmd := &cobra.Command{
		Use:     "ls SERVICE",
		Short:   "List the pods of a service",
		Long:    "Lists the pods that have reported, with the age of their last heartbeat by the\nserver's clock. A pod is alive if that is at most --max-age.",
		Example: "  statelink pod ls room",
		Args:    exactArgs("SERVICE"),
		RunE:    p.action(func(ctx context.Context, args []string) error { return p.podList(ctx, args[0], maxAge) }),
	}
	cmd.Flags().DurationVar(&maxAge, "max-age", maxAge, "oldest heartbeat of a living pod, as the service has it")
	return cmd
}

func (p *program) podList(ctx context.Context, service string, maxAge time.Duration) error {
	list := podList{Namespace: p.flags.namespace, Service: service, Pods: []podView{}}
	err := p.withRedis(ctx, func(ctx context.Context, s *session) error {
		states, now, err := s.exec.PodStates(ctx, list.Namespace, service)
		list.ServerTime = now.UTC()
		for _, state := range states {
			list.Pods = append(list.Pods, viewPod(state, now, maxAge))
		}
		return err
	})
	if err != nil {
		return err
	}
	t := columns("POD", "LOAD", "ROUTING", "HEARTBEAT", "ALIVE")
	for _, v := range list.Pods {
		age := short(time.Duration(v.HeartbeatAge)*time.Millisecond) + " ago"
		t.add(strconv.Itoa(v.Pod), strconv.FormatInt(v.Load, 10), v.Routing.String(), age, yesNo(v.Alive))
	}
	return p.print(list, t)
}

func viewPod(s statelink.PodState, now time.Time, maxAge time.Duration) podView {
	age := max(now.Sub(s.Heartbeat), 0)
	return podView{Pod: s.Pod, Load: s.Load, Routing: s.Routing, HeartbeatAge: age.Milliseconds(), Alive: age <= maxAge}
}

type podReport struct {
	Namespace string            `json:"namespace"`
	Service   string            `json:"service"`
	Pod       int               `json:"pod"`
	Load      int64             `json:"load"`
	Routing   statelink.Routing `json:"routing"`
}

var routings = map[string]statelink.Routing{
	"ready": statelink.RoutingReady, "draining": statelink.RoutingDraining, "unavailable": statelink.RoutingUnavailable,
}

const routingWords = "ready, draining or unavailable"

func (p *program) podReportCommand() *cobra.Command {
	var load int64
	var routing string
	cmd := &cobra.Command{
		Use:   "report SERVICE POD",
		Short: "Report the state of a pod, as the pod itself would",
		Long: `Stores a pod's load and whether it takes users, and counts as its heartbeat.
ready: takes new users. draining: keeps its users, takes no new ones.
unavailable: serves nobody. A pod that runs will soon report something else.`,
		Example: "  statelink pod report room 2 --load 40 --routing draining",
		Args:    exactArgs("SERVICE POD"),
		RunE: p.action(func(ctx context.Context, args []string) error {
			return p.podReport(ctx, args, load, routing)
		}),
	}
	cmd.Flags().Int64Var(&load, "load", 0, "load in the service's own unit, from 0")
	cmd.Flags().StringVar(&routing, "routing", "", routingWords)
	_ = cmd.MarkFlagRequired("load")
	_ = cmd.MarkFlagRequired("routing")
	_ = cmd.RegisterFlagCompletionFunc("routing", cobra.FixedCompletions([]string{"ready", "draining", "unavailable"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (p *program) podReport(ctx context.Context, args []string, load int64, routing string) error {
	pod, err := parsePod("POD", args[1])
	if err != nil {
		return err
	}
	state, ok := routings[routing]
	if !ok {
		return usagef("--routing: got %q, want %s", routing, routingWords)
	}
	report := podReport{Namespace: p.flags.namespace, Service: args[0], Pod: pod, Load: load, Routing: state}
	err = p.withRedis(ctx, func(ctx context.Context, s *session) error {
		return s.exec.ReportPodState(ctx, report.Namespace, report.Service, pod, load, state)
	})
	if err != nil {
		return err
	}
	t := columns("SERVICE", "POD", "LOAD", "ROUTING")
	t.add(report.Service, strconv.Itoa(pod), strconv.FormatInt(load, 10), routing)
	return p.print(report, t)
}

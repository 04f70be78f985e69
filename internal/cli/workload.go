package cli

import (
	"context"

	"github.com/spf13/cobra"
)

func (p *program) workloadCommand() *cobra.Command {
	group := p.group("workload", "Look at and set the one word that a whole service has",
		"The workload state is one word for a whole service, such as running or\nupgrading. Its meaning is the service's own.", `  statelink workload set room upgrading
  statelink workload get room chat`)
	group.AddCommand(p.workloadGetCommand(), p.workloadSetCommand())
	return group
}

type workloadList struct {
	Namespace string         `json:"namespace"`
	Workloads []workloadView `json:"workloads"`
}

type workloadView struct {
	Service string  `json:"service"`
	State   *string `json:"state"`
}

func (p *program) workloadGetCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "get SERVICE...",
		Short:   "Show the workload state of services",
		Long:    "Shows the workload state of each service. A service without one has -, and the\nexit code is 3.",
		Example: "  statelink workload get room chat",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("got no argument, want SERVICE...")
			}
			return nil
		},
		RunE: p.action(p.workloadGet),
	}
}

func (p *program) workloadGet(ctx context.Context, services []string) error {
	list := workloadList{Namespace: p.flags.namespace, Workloads: []workloadView{}}
	var states map[string]string
	err := p.withRedis(ctx, func(ctx context.Context, s *session) (err error) {
		states, err = s.exec.GetWorkloadStateBatch(ctx, list.Namespace, services)
		return err
	})
	if err != nil {
		return err
	}
	t, absent := columns("SERVICE", "STATE"), false
	for _, service := range services {
		view, cell := workloadView{Service: service}, nothing
		if state, ok := states[service]; ok {
			view.State, cell = &state, printable(state)
		} else {
			absent = true
		}
		list.Workloads = append(list.Workloads, view)
		t.add(service, cell)
	}
	if err := p.print(list, t); err != nil {
		return err
	}
	if absent {
		return status(exitAbsent)
	}
	return nil
}

func (p *program) workloadSetCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "set SERVICE STATE",
		Short:   "Set the workload state of a service",
		Example: "  statelink workload set room upgrading",
		Args:    exactArgs("SERVICE STATE"),
		RunE:    p.action(p.workloadSet),
	}
}

func (p *program) workloadSet(ctx context.Context, args []string) error {
	service, state := args[0], args[1]
	err := p.withRedis(ctx, func(ctx context.Context, s *session) error {
		return s.exec.SetWorkloadState(ctx, p.flags.namespace, service, state)
	})
	if err != nil {
		return err
	}
	t := columns("SERVICE", "STATE")
	t.add(service, printable(state))
	list := workloadList{Namespace: p.flags.namespace, Workloads: []workloadView{{service, &state}}}
	return p.print(list, t)
}

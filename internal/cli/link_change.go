package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/statelink/statelink"
)

const ttlUsage = "how long the link lives: a `TTL` such as 30s, or -1 for ever"

func (p *program) linkSetCommand() *cobra.Command {
	ttl := "-1"
	cmd := &cobra.Command{
		Use:   "set UID SERVICE POD",
		Short: "Link a uid to a pod, whatever the link was before",
		Example: `  statelink link set alice room 2
  statelink link set alice room 2 --ttl 30s`,
		Args: exactArgs("UID SERVICE POD"),
		RunE: p.action(func(ctx context.Context, args []string) error { return p.linkSet(ctx, args, ttl) }),
	}
	cmd.Flags().StringVar(&ttl, "ttl", ttl, ttlUsage)
	return cmd
}

type linkSetView struct {
	linkName
	Pod      int    `json:"pod"`
	Kind     string `json:"kind"`
	TTL      *int   `json:"ttl_seconds"`
	Previous *int   `json:"previous_pod"`
}

func (p *program) linkSet(ctx context.Context, args []string, ttl string) error {
	pod, seconds, err := podAndTTL(args[2], ttl)
	if err != nil {
		return err
	}
	view := linkSetView{linkName: p.linkName(args), Pod: pod, Kind: kindOf(seconds == statelink.PersistForever)}
	if seconds != statelink.PersistForever {
		view.TTL = &seconds
	}
	err = p.withRedis(ctx, func(ctx context.Context, s *session) error {
		previous, err := s.exec.SetLinkedPod(ctx, view.Namespace, view.UID, view.Service, pod, seconds)
		if previous != statelink.NoPod {
			view.Previous = &previous
		}
		return err
	})
	if err != nil {
		return err
	}
	t := columns("UID", "SERVICE", "POD", "KIND", "PREVIOUS POD")
	t.add(printable(view.UID), view.Service, strconv.Itoa(pod), view.Kind, podCell(view.Previous))
	return p.print(view, t)
}

// claim is one of the two ways to ask for a link without taking it from
// another pod. It gives the pod that has the link afterwards.
type claim func(ctx context.Context, e *statelink.Executor, l linkName, pod, seconds int) (owner int, err error)

func tryLink(ctx context.Context, e *statelink.Executor, l linkName, pod, seconds int) (int, error) {
	_, owner, err := e.TrySetLinkedPod(ctx, l.Namespace, l.UID, l.Service, pod, seconds)
	return owner, err
}

func claimIfAbsent(ctx context.Context, e *statelink.Executor, l linkName, pod, seconds int) (int, error) {
	return e.SetLinkedPodIfAbsent(ctx, l.Namespace, l.UID, l.Service, pod, seconds)
}

func (p *program) linkTryCommand() *cobra.Command {
	return p.claimCommand("try", "Link a uid to a pod, unless a persistent link to another pod is there",
		"A persistent link to another pod stays: its owner is shown, and the exit code is\n4. A temporary one is replaced.", tryLink)
}

func (p *program) linkClaimCommand() *cobra.Command {
	return p.claimCommand("claim-if-absent", "Link a uid to a pod, unless there is a link already",
		"An existing link, persistent or temporary, stays exactly as it is. If it is to\nanother pod, that owner is shown, and the exit code is 4.", claimIfAbsent)
}

func (p *program) claimCommand(name, short, long string, ask claim) *cobra.Command {
	ttl := "-1"
	cmd := &cobra.Command{
		Use:     name + " UID SERVICE POD",
		Short:   short,
		Long:    short + ".\n\n" + long,
		Example: "  statelink link " + name + " alice room 1\n  statelink link " + name + " alice room 1 --ttl 30s",
		Args:    exactArgs("UID SERVICE POD"),
		RunE: p.action(func(ctx context.Context, args []string) error {
			return p.claim(ctx, args, ttl, ask)
		}),
	}
	cmd.Flags().StringVar(&ttl, "ttl", ttl, ttlUsage)
	return cmd
}

type claimView struct {
	linkName
	Asked int  `json:"asked_pod"`
	OK    bool `json:"ok"`
	Pod   int  `json:"pod"`
}

func (p *program) claim(ctx context.Context, args []string, ttl string, ask claim) error {
	pod, seconds, err := podAndTTL(args[2], ttl)
	if err != nil {
		return err
	}
	view := claimView{linkName: p.linkName(args), Asked: pod}
	err = p.withRedis(ctx, func(ctx context.Context, s *session) error {
		view.Pod, err = ask(ctx, s.exec, view.linkName, pod, seconds)
		return err
	})
	if err != nil {
		return err
	}
	view.OK = view.Pod == pod
	result := "refused"
	if view.OK {
		result = "linked"
	}
	t := columns("UID", "SERVICE", "ASKED FOR", "RESULT", "OWNER")
	t.add(printable(view.UID), view.Service, "pod "+strconv.Itoa(pod), result, "pod "+strconv.Itoa(view.Pod))
	if err := p.print(view, t); err != nil {
		return err
	}
	if !view.OK {
		return status(exitRefused)
	}
	return nil
}

func podAndTTL(podText, ttlText string) (pod, seconds int, err error) {
	if pod, err = parsePod("POD", podText); err != nil {
		return 0, 0, err
	}
	if ttlText == "-1" {
		return pod, statelink.PersistForever, nil
	}
	seconds, err = parseSeconds("--ttl", ttlText, "-1 for ever, or ")
	return pod, seconds, err
}

func parsePod(name, text string) (int, error) {
	pod, err := strconv.Atoi(text)
	if err != nil || pod < 0 || pod > statelink.MaxPod {
		return 0, usagef("%s: got %q, want a pod's number from 0 to %d", name, text, statelink.MaxPod)
	}
	return pod, nil
}

// parseSeconds reads a duration of whole seconds; also names what else would
// have been right.
func parseSeconds(name, text, also string) (int, error) {
	const longest = statelink.MaxPersistSeconds * time.Second
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > longest || d%time.Second != 0 {
		return 0, usagef("%s: got %q, want %swhole seconds such as 30s or 5m, up to ten years", name, text, also)
	}
	return int(d / time.Second), nil
}

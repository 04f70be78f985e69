package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/statelink/statelink"
)

type removeFlags struct {
	pod   string
	after string
	yes   bool
}

func (p *program) linkRemoveCommand() *cobra.Command {
	var f removeFlags
	cmd := &cobra.Command{
		Use:   "rm UID SERVICE",
		Short: "Remove a link, now or after a while",
		Long: `Removes a link. With --after it becomes temporary and expires then; with --pod it
is removed only if it is to that pod. Without such a link the exit code is 3.

It asks first on a terminal; elsewhere it needs --yes.`,
		Example: `  statelink link rm alice room
  statelink link rm alice room --pod 2 --after 30s --yes`,
		Args: exactArgs("UID SERVICE"),
		RunE: p.action(func(ctx context.Context, args []string) error { return p.linkRemove(ctx, args, f) }),
	}
	cmd.Flags().StringVar(&f.pod, "pod", "", "remove only a link to this `POD`")
	cmd.Flags().StringVar(&f.after, "after", "", "let the link expire after this `TIME`, such as 30s (default now)")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	return cmd
}

type removeView struct {
	linkName
	Removed bool `json:"removed"`
	OnlyPod *int `json:"only_pod"`
	After   *int `json:"after_seconds"`
}

func (p *program) linkRemove(ctx context.Context, args []string, f removeFlags) error {
	view := removeView{linkName: p.linkName(args)}
	if err := view.take(f); err != nil {
		return err
	}
	if err := p.confirm(ctx, f.yes, view.question(), "removing", "removed"); err != nil {
		return err
	}
	err := p.withRedis(ctx, func(ctx context.Context, s *session) (err error) {
		view.Removed, err = view.remove(ctx, s.exec)
		return err
	})
	if err != nil {
		return err
	}
	t := columns("UID", "SERVICE", "REMOVED")
	t.add(printable(view.UID), view.Service, view.result())
	if err := p.print(view, t); err != nil {
		return err
	}
	if !view.Removed {
		return status(exitAbsent)
	}
	return nil
}

func (v *removeView) take(f removeFlags) error {
	if f.pod != "" {
		pod, err := parsePod("--pod", f.pod)
		if err != nil {
			return err
		}
		v.OnlyPod = &pod
	}
	if f.after != "" {
		seconds, err := parseSeconds("--after", f.after, "")
		if err != nil {
			return err
		}
		v.After = &seconds
	}
	return nil
}

func (v *removeView) remove(ctx context.Context, e *statelink.Executor) (bool, error) {
	seconds := 0
	if v.After != nil {
		seconds = *v.After
	}
	if v.OnlyPod != nil {
		return e.RemoveLinkedPodWithId(ctx, v.Namespace, v.UID, v.Service, seconds, *v.OnlyPod)
	}
	return e.RemoveLinkedPod(ctx, v.Namespace, v.UID, v.Service, seconds)
}

func (v *removeView) question() string {
	text := fmt.Sprintf("Remove the link of %s, service %s, namespace %s", printable(v.UID), printable(v.Service), printable(v.Namespace))
	if v.OnlyPod != nil {
		text += fmt.Sprintf(", if it is to pod %d", *v.OnlyPod)
	}
	if v.After != nil {
		text += fmt.Sprintf(", after %d s", *v.After)
	}
	return text + "?"
}

func (v *removeView) result() string {
	switch {
	case v.Removed && v.After != nil:
		return fmt.Sprintf("in %ds", *v.After)
	case v.Removed:
		return "now"
	case v.OnlyPod != nil:
		return fmt.Sprintf("no: not linked to pod %d", *v.OnlyPod)
	default:
		return "no: not linked"
	}
}

// confirm asks on a terminal, and refuses elsewhere unless the user said yes.
// doing and done name the act, such as removing and removed.
func (p *program) confirm(ctx context.Context, yes bool, question, doing, done string) error {
	if yes {
		return nil
	}
	if !p.asks {
		return usagef("%s needs --yes where no terminal is there to ask", doing)
	}
	_, _ = fmt.Fprintf(p.errOut, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(p.in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case word := <-answer:
		if word == "y" || word == "yes" {
			return nil
		}
		return fmt.Errorf("not confirmed, nothing was %s", done)
	case <-ctx.Done():
		return ctx.Err()
	}
}

package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/redismanager"
	"github.com/statelink/statelink/scripts"
)

// fleetWait is how long a change waits for the processes to say that they run it.
const fleetWait = 3 * time.Second

type pushFlags struct {
	name       string
	expect     int
	idempotent bool
	yes        bool
}

func (p *program) scriptPushCommand() *cobra.Command {
	var f pushFlags
	cmd := &cobra.Command{
		Use:   "push FILE",
		Short: "Give a script a new body in all running processes of a namespace",
		Long: `Gives a script a new body: every process that follows the namespace takes it
within two seconds. The script's name is that of the file without .lua. The body
is compiled on every master first; one that does not compile changes nothing.
With --expect-version another version in force is refused with exit code 4.

It must take the same keys and arguments and answer in the same form as the body
that is there: nothing can check that. It asks first on a terminal; elsewhere it
needs --yes.`,
		Example: `  statelink script push statefulSetLink.lua
  statelink script push fixed.lua --name statefulSetLink --expect-version 3 --yes`,
		Args: exactArgs("FILE"),
		RunE: p.action(func(ctx context.Context, args []string) error { return p.scriptPush(ctx, args[0], f) }),
	}
	cmd.Flags().StringVar(&f.name, "name", "", "`NAME` of the script (default: that of the file)")
	cmd.Flags().IntVar(&f.expect, "expect-version", 0, "push only if this `VERSION` is in force")
	cmd.Flags().BoolVar(&f.idempotent, "idempotent", false, "declare that running it twice changes and answers nothing else")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	return cmd
}

// changeView is what became of a push or rollback.
type changeView struct {
	Namespace string `json:"namespace"`
	redismanager.FleetChange
	Processes int `json:"processes"` // that follow the namespace
	Running   int `json:"running"`   // of those, how many run this version
}

func (p *program) scriptPush(ctx context.Context, file string, f pushFlags) error {
	body, err := readScript(file, f)
	if err != nil {
		return err
	}
	push := redismanager.ScriptPush{Script: body, ExpectVersion: f.expect, By: whoami()}
	question := fmt.Sprintf("Make %s the body of %s in all processes of namespace %s?", printable(file), body.Name, printable(p.flags.namespace))
	if err := p.confirm(ctx, f.yes, question, "pushing", "changed"); err != nil {
		return err
	}
	return p.changeScript(ctx, func(ctx context.Context, exec *statelink.Executor) (redismanager.FleetChange, error) {
		return exec.PushScript(ctx, p.flags.namespace, push)
	})
}

// readScript reads the file as the body of a script that this program knows.
func readScript(file string, f pushFlags) (redismanager.Script, error) {
	name := f.name
	if name == "" {
		name = strings.TrimSuffix(filepath.Base(file), ".lua")
	}
	if _, ok := scripts.Get(name); !ok {
		return redismanager.Script{}, unknownScript(name)
	}
	source, err := readAtMost(file, 1<<20)
	return redismanager.Script{Name: name, Source: source, Idempotent: f.idempotent}, err
}

func readAtMost(path string, limit int64) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1)) // one more: too long is refused later, not cut
	return string(data), err
}

// whoami is what the registry notes of who made a change.
func whoami() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, name)
	return name[:min(len(name), 128)]
}

type rollbackFlags struct {
	to, expect int
	yes        bool
}

func (p *program) scriptRollbackCommand() *cobra.Command {
	var f rollbackFlags
	cmd := &cobra.Command{
		Use:   "rollback NAME",
		Short: "Put an older version of a script into force again",
		Long: `Puts the version of a script into force that was there before the one in force,
or the one that --to names, for every process that follows the namespace. Version
1 is the body that each process was built with. Without such a version the exit
code is 4.

It asks first on a terminal; elsewhere it needs --yes.`,
		Example: `  statelink script rollback statefulSetLink
  statelink script rollback statefulSetLink --to 1 --yes`,
		Args:              exactArgs("NAME"),
		RunE:              p.action(func(ctx context.Context, args []string) error { return p.scriptRollback(ctx, args[0], f) }),
		ValidArgsFunction: completeScript,
	}
	cmd.Flags().IntVar(&f.to, "to", 0, "the `VERSION` to go to (default: the one before)")
	cmd.Flags().IntVar(&f.expect, "expect-version", 0, "roll back only if this `VERSION` is in force")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	return cmd
}

func (p *program) scriptRollback(ctx context.Context, name string, f rollbackFlags) error {
	if _, ok := scripts.Get(name); !ok {
		return unknownScript(name)
	}
	target := "the version before"
	if f.to != 0 {
		target = "version " + strconv.Itoa(f.to)
	}
	question := fmt.Sprintf("Go back to %s of %s in all processes of namespace %s?", target, name, printable(p.flags.namespace))
	if err := p.confirm(ctx, f.yes, question, "rolling back", "changed"); err != nil {
		return err
	}
	back := redismanager.FleetRollback{Name: name, To: f.to, ExpectVersion: f.expect}
	return p.changeScript(ctx, func(ctx context.Context, exec *statelink.Executor) (redismanager.FleetChange, error) {
		return exec.RollbackScript(ctx, p.flags.namespace, back)
	})
}

// changeScript makes a change, waits for the processes to take it, and shows
// what became of it.
func (p *program) changeScript(ctx context.Context, change func(ctx context.Context, exec *statelink.Executor) (redismanager.FleetChange, error)) error {
	view := changeView{Namespace: p.flags.namespace}
	err := p.withRedis(ctx, func(ctx context.Context, s *session) (err error) {
		if view.FleetChange, err = change(ctx, s.exec); err != nil {
			return err
		}
		view.await(ctx, s.exec)
		return nil
	})
	if err != nil {
		return err
	}
	t := columns("SCRIPT", "VERSION", "BEFORE", "RUNNING")
	t.add(view.Name, strconv.Itoa(view.Version), strconv.Itoa(view.Previous), fmt.Sprintf("%d of %s", view.Running, processes(view.Processes)))
	return p.print(view, t)
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return fmt.Sprintf("%d processes", n)
}

// await counts the processes that say they run the version, until all do or the
// time for that is over. What cannot be read is not counted: the change is made.
func (v *changeView) await(ctx context.Context, exec *statelink.Executor) {
	ctx, cancel := context.WithTimeout(ctx, fleetWait)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		if state, err := exec.FleetScripts(ctx, v.Namespace); err == nil {
			v.count(state)
			if v.Running == v.Processes {
				return
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (v *changeView) count(state redismanager.FleetState) {
	v.Processes, v.Running = len(state.Processes), 0
	for _, process := range state.Processes {
		if s, found := process.Script(v.Name); found && s.Version == v.Version && s.Error == "" {
			v.Running++
		}
	}
}

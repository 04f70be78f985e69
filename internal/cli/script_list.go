package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/statelink/statelink/redismanager"
	"github.com/statelink/statelink/scripts"
)

func (p *program) scriptListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List the scripts, and which process runs which version",
		Long: `Lists the scripts that this program holds. Where a Redis is named (--redis,
--config or the environment) it also shows the namespace: which version of each
script is in force, and which process runs which. Version 1 is the body that a
process was built with, 0 one that it was given in another way.`,
		Example: "  statelink script ls\n  statelink script ls --redis redis://localhost:6379 -o json",
		Args:    exactArgs(""),
		RunE:    p.action(p.scriptList),
	}
}

// scriptListView is the embedded scripts, and the fleet where a Redis is named.
type scriptListView struct {
	Namespace string       `json:"namespace,omitempty"`
	Scripts   []scriptView `json:"scripts"`
	Fleet     *fleetView   `json:"fleet,omitempty"`
}

// fleetView is the state of a namespace. It is on its own, beside the embedded
// scripts, since its scripts may be those of another release.
type fleetView = redismanager.FleetState

func (p *program) scriptList(ctx context.Context, _ []string) error {
	view := scriptListView{Scripts: []scriptView{}}
	for _, s := range scripts.All() {
		view.Scripts = append(view.Scripts, viewScript(s))
	}
	if p.namesRedis() {
		view.Namespace = p.flags.namespace
		err := p.withRedis(ctx, func(ctx context.Context, s *session) error {
			state, err := s.exec.FleetScripts(ctx, view.Namespace)
			view.Fleet = &state
			return err
		})
		if err != nil {
			return err
		}
	}
	return p.printScripts(view)
}

// namesRedis reports whether the user said which Redis is meant: the list alone
// needs none.
func (p *program) namesRedis() bool {
	return p.flags.redis != "" || p.flags.config != "" || p.env("STATELINK_CONFIG", "") != "" ||
		slices.ContainsFunc(whichRedis, func(name string) bool { return p.env(name, "") != "" })
}

func (p *program) printScripts(view scriptListView) error {
	if p.flags.output == formatJSON {
		return p.printJSON(view)
	}
	if view.Fleet == nil {
		t := columns("NAME", "SHA", "ACCESS", "PURPOSE")
		for _, s := range view.Scripts {
			t.add(s.Name, s.SHA, s.access(), s.Purpose)
		}
		return t.write(p.out)
	}
	t := columns("NAME", "SHA", "ACCESS", "VERSION", "RUNNING", "PURPOSE")
	for _, s := range view.Scripts {
		t.add(s.Name, s.SHA, s.access(), strconv.Itoa(view.Fleet.Version(s.Name)), running(*view.Fleet, s.Name), s.Purpose)
	}
	if err := t.write(p.out); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(p.out); err != nil {
		return err
	}
	return processTable(*view.Fleet).write(p.out)
}

// running counts the processes by the version that they run: "2 on 3, 1 on 1".
func running(state fleetView, name string) string {
	counts := map[int]int{}
	for _, process := range state.Processes {
		if s, found := process.Script(name); found {
			counts[s.Version]++
		}
	}
	var words []string
	for version := range counts {
		words = append(words, fmt.Sprintf("%d on %d", counts[version], version))
	}
	if len(words) == 0 {
		return nothing
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// processTable has a row for each process and each script that is not the
// process' own body, or should not be.
func processTable(state fleetView) *table {
	t := columns("PROCESS", "SEEN", "SCRIPT", "VERSION", "SHA", "PROBLEM")
	for _, process := range state.Processes {
		name, seen := printable(process.Name), short(max(state.ServerTime.Sub(process.Seen), 0))+" ago"
		noted := false
		for _, s := range process.Scripts {
			want := state.Version(s.Name)
			if s.Version == 1 && want == 1 && s.Error == "" {
				continue
			}
			noted = true
			t.add(name, seen, printable(s.Name), strconv.Itoa(s.Version), printable(s.SHA), problem(s, want))
		}
		if !noted {
			t.add(name, seen, "all", "1", nothing, nothing)
		}
	}
	return t
}

func problem(s redismanager.ProcessScript, want int) string {
	switch {
	case s.Error != "":
		return printable(s.Error)
	case s.Version != want:
		return fmt.Sprintf("version %d is in force", want)
	default:
		return nothing
	}
}

package cli

import (
	"context"
	"crypto/sha1" // the name that Redis gives a script
	"encoding/hex"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/statelink/statelink/scripts"
)

func (p *program) scriptCommand() *cobra.Command {
	group := p.group("script", "Look at the Lua scripts, here and on the servers",
		"Links and pod states are changed by Lua scripts that this program holds. A server\ngets each of them when it first runs it.", `  statelink script ls
  statelink script show statefulSetLink
  statelink script verify`)
	group.AddCommand(p.scriptListCommand(), p.scriptShowCommand(), p.scriptVerifyCommand())
	return group
}

// scriptView is one embedded script; Source only where it is asked for.
type scriptView struct {
	Name       string   `json:"name"`
	SHA        string   `json:"sha"`
	ReadOnly   bool     `json:"read_only"`
	Idempotent bool     `json:"idempotent"`
	Purpose    string   `json:"purpose"`
	Keys       []string `json:"keys"`
	Args       []string `json:"args"`
	Source     string   `json:"source,omitempty"`
}

func viewScript(s scripts.Script) scriptView {
	sum := sha1.Sum([]byte(s.Source))
	return scriptView{
		Name: s.Name, SHA: hex.EncodeToString(sum[:]), ReadOnly: s.ReadOnly, Idempotent: s.Idempotent,
		Purpose: s.Doc, Keys: append([]string{}, s.Keys...), Args: append([]string{}, s.Args...),
	}
}

func (v scriptView) access() string {
	if v.ReadOnly {
		return "reads"
	}
	return "writes"
}

func (p *program) scriptListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "List the scripts (needs no Redis)",
		Example: "  statelink script ls",
		Args:    exactArgs(""),
		RunE:    p.action(p.scriptList),
	}
}

func (p *program) scriptList(context.Context, []string) error {
	views := []scriptView{}
	t := columns("NAME", "SHA", "ACCESS", "PURPOSE")
	for _, s := range scripts.All() {
		v := viewScript(s)
		views = append(views, v)
		t.add(v.Name, v.SHA, v.access(), v.Purpose)
	}
	return p.print(map[string]any{"scripts": views}, t)
}

func (p *program) scriptShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Print the source of a script (needs no Redis)",
		Example: "  statelink script show statefulSetLink",
		Args:    exactArgs("NAME"),
		RunE:    p.action(p.scriptShow),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return scriptNames(), cobra.ShellCompDirectiveNoFileComp
		},
	}
}

func scriptNames() []string {
	var names []string
	for _, s := range scripts.All() {
		names = append(names, s.Name)
	}
	return names
}

func (p *program) scriptShow(_ context.Context, args []string) error {
	s, ok := scripts.Get(args[0])
	if !ok {
		return unknownScript(args[0])
	}
	if p.flags.output != formatJSON {
		_, err := io.WriteString(p.out, s.Source)
		return err
	}
	view := viewScript(s)
	view.Source = s.Source
	return p.printJSON(view)
}

func unknownScript(name string) error {
	for _, known := range scriptNames() {
		if name != "" && strings.Contains(strings.ToLower(known), strings.ToLower(name)) {
			return usagef("no script is named %q, did you mean %s?", name, known)
		}
	}
	return usagef("no script is named %q; 'statelink script ls' lists them", name)
}

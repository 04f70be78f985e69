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
	group := p.group("script", "Look at the Lua scripts, and change them while services run",
		"Links and pod states are changed by Lua scripts that this program and every\nservice hold. A server gets each of them when it first runs it. A script can be\nchanged for all running processes of a namespace that follow its changes.", `  statelink script ls
  statelink script show statefulSetLink
  statelink script verify
  statelink script push statefulSetLink.lua
  statelink script rollback statefulSetLink`)
	group.AddCommand(p.scriptListCommand(), p.scriptShowCommand(), p.scriptVerifyCommand(), p.scriptPushCommand(), p.scriptRollbackCommand())
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

func (p *program) scriptShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME",
		Short:             "Print the source of a script (needs no Redis)",
		Example:           "  statelink script show statefulSetLink",
		Args:              exactArgs("NAME"),
		RunE:              p.action(p.scriptShow),
		ValidArgsFunction: completeScript,
	}
}

func completeScript(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return scriptNames(), cobra.ShellCompDirectiveNoFileComp
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

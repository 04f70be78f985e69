package cli

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/statelink/statelink/redismanager"
)

func (p *program) configCommand() *cobra.Command {
	group := p.group("config", "Check and document the configuration (needs no Redis)", "", `  statelink config default > statelink.yaml
  statelink config check statelink.yaml
  statelink config env`)
	group.AddCommand(p.configCheckCommand(), p.configDefaultCommand(), p.configEnvCommand())
	return group
}

func (p *program) configCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Say whether a configuration can be used, and what is wrong with it",
		Long: `Checks one file alone, without this machine's environment. Without FILE it
checks what every command here would use: file, environment and flags together.
Every problem is one line on stderr, and the exit code is 1. It does not connect.`,
		Example: "  statelink config check statelink.yaml\n  statelink config check",
		Args:    argsBetween(0, 1, "one FILE or none"),
		RunE:    p.action(p.configCheck),
	}
}

type configView struct {
	Valid    bool                      `json:"valid"`
	Problems []string                  `json:"problems"`
	Config   *redismanager.RedisConfig `json:"config"` // its secrets are masked
}

func (p *program) configCheck(_ context.Context, args []string) error {
	load := p.loadConfig
	if len(args) == 1 {
		if p.flags.redis != "" || p.flags.config != "" {
			return usagef("a FILE is checked alone: leave --redis and --config out")
		}
		load = func() (redismanager.RedisConfig, error) { return loadFile(args[0]) }
	}
	cfg, err := load()
	view := configView{Valid: err == nil, Problems: []string{}}
	if view.Valid {
		view.Config = &cfg
	}
	var refused configError
	if errors.As(err, &refused) {
		for _, problem := range flatten(refused.error) {
			view.Problems = append(view.Problems, oneLine(problem))
			p.complain(oneLine(problem))
		}
	}
	if err := p.printCheck(view); err != nil || view.Valid {
		return err
	}
	return status(exitFailed)
}

func (p *program) printCheck(view configView) error {
	t := columns("VALID", "MODE", "ADDRESS")
	if view.Valid {
		t.add("yes", string(view.Config.Mode), strings.Join(seeds(*view.Config), ", "))
	} else {
		t.add("no", nothing, nothing)
	}
	return p.print(view, t)
}

// seeds are the addresses that the configuration names.
func seeds(cfg redismanager.RedisConfig) []string {
	if len(cfg.Addrs) > 0 {
		return cfg.Addrs
	}
	return []string{cfg.Addr}
}

func (p *program) configDefaultCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "default",
		Short:   "Print a commented YAML file with every setting and its default",
		Example: "  statelink config default > statelink.yaml",
		Args:    exactArgs(""),
		RunE: p.action(func(context.Context, []string) error {
			text := defaultConfigFile()
			if p.flags.output == formatJSON {
				return p.printJSON(map[string]string{"format": "yaml", "text": text})
			}
			_, err := io.WriteString(p.out, text)
			return err
		}),
	}
}

func (p *program) configEnvCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "env",
		Short:   "List the environment variables, their types and defaults",
		Long:    "Lists the environment variables that are read. It does not look at their values.",
		Example: "  statelink config env",
		Args:    exactArgs(""),
		RunE:    p.action(func(context.Context, []string) error { return p.configEnv() }),
	}
}

func (p *program) configEnv() error {
	list := append([]variable{
		{"STATELINK_CONFIG", "text", "", false, "Configuration file, as --config."},
		{"STATELINK_NAMESPACE", "text", "default", false, "Namespace of the links, as --namespace. Of this program only."},
		{"STATELINK_KEY_PREFIX", "text", "sf", false, "What every Redis key begins with, as --key-prefix. Of this program only."},
	}, redisVariables()...)
	t := columns("VARIABLE", "TYPE", "DEFAULT", "MEANING")
	for _, v := range list {
		def := v.Default
		if def == "" {
			def = nothing
		}
		t.add(v.Name, v.Type, def, v.Meaning)
	}
	return p.print(map[string]any{"variables": list}, t)
}

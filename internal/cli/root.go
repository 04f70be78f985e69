package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/statelink/statelink"
)

// globalFlags are the flags of every command.
type globalFlags struct {
	redis     string
	config    string
	namespace string
	keyPrefix string
	output    format
	timeout   time.Duration
	verbose   bool
}

const rootLong = `Statelink keeps the answer "user U of service S is on pod P" in Redis.

This program looks at links, pods, workloads and scripts, changes them, and
diagnoses a deployment. Try 'statelink demo': it needs nothing installed.

Which Redis: --redis wins; else --config, with credentials and other settings
from the environment; else the environment (see 'statelink config env'); else
localhost:6379. --config beside a variable that also says which is refused.
Data goes to stdout; errors, logs and questions go to stderr.

` + exitCodesHelp

func (p *program) rootCommand() *cobra.Command {
	root := p.group("statelink", "Sticky routing to stateful pods, kept in Redis", rootLong, `  statelink demo
  statelink doctor --redis redis://:secret@redis.example:6379/0
  statelink link get alice room
  statelink pod ls room -o json`)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.errOut)
	root.SetFlagErrorFunc(p.flagError)
	root.SetUsageTemplate(usageTemplate(root.UsageTemplate()))
	p.addGlobalFlags(root)
	root.AddCommand(p.demoCommand(), p.linkCommand(), p.podCommand(), p.workloadCommand(), p.scriptCommand(),
		p.serveCommand(), p.doctorCommand(), p.configCommand(), p.versionCommand())
	root.SetHelpCommand(p.helpCommand())
	root.InitDefaultCompletionCmd() // it remembers where root writes
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			holdOnly(cmd)
		}
	}
	return root
}

func (p *program) addGlobalFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&p.flags.redis, "redis", "", "Redis `URL`, such as redis://host:6379/0 or redis+cluster://h1,h2 (env STATELINK_REDIS_URL)")
	f.StringVar(&p.flags.config, "config", "", "configuration `FILE`, .yaml, .toml or .json (env STATELINK_CONFIG)")
	f.StringVarP(&p.flags.namespace, "namespace", "n", p.env("STATELINK_NAMESPACE", "default"), "namespace of the links (env STATELINK_NAMESPACE)")
	f.StringVar(&p.flags.keyPrefix, "key-prefix", p.env("STATELINK_KEY_PREFIX", statelink.DefaultKeyPrefix), "what every Redis key begins with (env STATELINK_KEY_PREFIX)")
	f.VarP(&p.flags.output, "output", "o", "output `FORMAT`: table or json")
	f.DurationVar(&p.flags.timeout, "timeout", 5*time.Second, "limit for the whole command")
	f.BoolVarP(&p.flags.verbose, "verbose", "v", false, "log to stderr")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

// env gives an environment variable, or otherwise if it is empty.
func (p *program) env(name, otherwise string) string {
	for _, line := range p.environ() {
		if value, ok := strings.CutPrefix(line, name+"="); ok && value != "" {
			return value
		}
	}
	return otherwise
}

// usageTemplate leaves "statelink [flags]" out where only a command can follow.
func usageTemplate(template string) string {
	return strings.Replace(template, "{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}", 1)
}

// helpCommand is cobra's, which would take an unknown command for success.
func (p *program) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(target, rest[0])
			}
			target.InitDefaultHelpFlag()
			return target.Help()
		},
	}
}

// format is the value of --output.
type format string

const formatJSON format = "json"

// String gives the format's name.
func (f *format) String() string {
	if *f == "" {
		return "table"
	}
	return string(*f)
}

// Set takes table or json.
func (f *format) Set(s string) error {
	if s != "table" && s != "json" {
		return errors.New("want table or json")
	}
	*f = format(s)
	return nil
}

// Type names the kind of value in help texts.
func (f *format) Type() string { return "format" }

// bounded gives a context that ends with the command's time.
func (p *program) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, p.flags.timeout)
}

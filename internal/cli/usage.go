package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// group makes a command that only holds others. It refuses an unknown one,
// which cobra does at the root only.
func (p *program) group(use, short, long, example string) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Example: example}
	holdOnly(cmd)
	return cmd
}

func holdOnly(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(cmd, args[0])
		}
		return cmd.Help()
	}
}

func unknownCommand(parent *cobra.Command, name string) error {
	text := fmt.Sprintf("unknown command %q for %q", name, parent.CommandPath())
	if near := parent.SuggestionsFor(name); len(near) > 0 {
		text += fmt.Sprintf(", did you mean %s?", strings.Join(near, " or "))
	}
	return usageError{error: errors.New(text), path: parent.CommandPath()}
}

// flagError improves on the parser's words: behind an unknown command every
// flag is unknown, and a value that begins with a dash looks like a flag.
func (p *program) flagError(cmd *cobra.Command, err error) error {
	if cmd.HasSubCommands() {
		if name := p.unknownName(cmd); name != "" {
			return unknownCommand(cmd, name)
		}
	}
	if strings.HasPrefix(err.Error(), "unknown shorthand flag") {
		return usagef("%w; a value that begins with - goes behind --", err)
	}
	return usagef("%w", err)
}

// unknownName gives the word that should have been a command of the group, ""
// if there is none.
func (p *program) unknownName(cmd *cobra.Command) string {
	_, rest, err := cmd.Root().Find(p.args)
	if err != nil {
		return ""
	}
	cmd.FParseErrWhitelist.UnknownFlags = true
	if cmd.ParseFlags(rest) != nil || cmd.Flags().NArg() == 0 {
		return ""
	}
	return cmd.Flags().Arg(0)
}

// exactArgs wants the arguments that are named, "UID SERVICE POD".
func exactArgs(names string) cobra.PositionalArgs {
	want := len(strings.Fields(names))
	return func(_ *cobra.Command, args []string) error {
		if len(args) == want {
			return nil
		}
		if want == 0 {
			return usagef("got %s, want none", arguments(len(args)))
		}
		return usagef("got %s, want %d: %s", arguments(len(args)), want, names)
	}
}

// argsBetween wants at least low and at most high arguments.
func argsBetween(low, high int, names string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < low || len(args) > high {
			return usagef("got %s, want %s", arguments(len(args)), names)
		}
		return nil
	}
}

func arguments(n int) string { return count(n, "argument") }

// count gives "1 link" or "2 links".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

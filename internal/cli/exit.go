package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/statelink/statelink"
)

// The exit codes. The root command's help documents them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitAbsent      = 3
	exitRefused     = 4
	exitInterrupted = 130
)

const exitCodesHelp = `Exit codes:
  0    done
  1    failed: Redis, the configuration, or a check that is not as expected
  2    wrong usage: unknown command or flag, or a value that cannot be right
  3    what was asked for is not there (no link, no workload state)
  4    refused: the link belongs to another pod, or the script is at another version
  130  interrupted
doctor has its own meaning of them: 0 all OK, 1 warnings, 2 failures.`

// status ends the program with a code and no words: the data has said it.
type status int

func (s status) Error() string { return fmt.Sprintf("exit code %d", int(s)) }

// usageError is a mistake in the arguments. Its help is that of the command
// unless path names another one.
type usageError struct {
	error
	path string
}

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{error: fmt.Errorf(format, args...)} }

// leftoverError is what an interrupted command could not clean up.
type leftoverError struct{ error }

func (e leftoverError) Unwrap() error { return e.error }

// finish prints the error, if any, and gives the exit code.
func (p *program) finish(ctx context.Context, cmd *cobra.Command, err error) int {
	var silent status
	var leftover leftoverError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &silent):
		return int(silent)
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		text := "interrupted"
		if errors.As(err, &leftover) {
			text += "; " + oneLine(leftover)
		}
		p.complain(text)
		return exitInterrupted
	case errors.Is(err, statelink.ErrScriptVersion):
		p.complain(oneLine(err))
		return exitRefused
	case p.isUsage(err):
		p.complain(oneLine(err))
		p.hint(cmd, err)
		return exitUsage
	default:
		p.complain(oneLine(err))
		return exitFailed
	}
}

// isUsage tells what the user typed wrong from what went wrong later. A refused
// setting is the configuration's fault, whatever it matches.
func (p *program) isUsage(err error) bool {
	var usage usageError
	var config configError
	if errors.As(err, &config) {
		return false
	}
	return !p.started || errors.As(err, &usage) || errors.Is(err, statelink.ErrInvalidArgument)
}

// hint names the help that tells how it is done.
func (p *program) hint(cmd *cobra.Command, err error) {
	path := cmd.CommandPath()
	var usage usageError
	if errors.As(err, &usage) && usage.path != "" {
		path = usage.path
	}
	_, _ = fmt.Fprintf(p.errOut, "see '%s --help'\n", path)
}

// complain prints one line to stderr.
func (p *program) complain(what string) { _, _ = fmt.Fprintf(p.errOut, "statelink: %s\n", what) }

// oneLine gives an error's text as one line without control characters and
// credentials.
func oneLine(err error) string {
	var parts []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	text := strings.TrimPrefix(strings.Join(parts, "; "), statelink.ErrInvalidArgument.Error()+": ")
	return mask(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, text))
}

// flatten undoes errors.Join.
func flatten(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

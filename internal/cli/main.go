// Package cli is the command line statelink: a tree of cobra commands that
// look at links, pods, workloads and scripts, change them, diagnose a
// deployment, and show the whole thing in a demo.
//
// Data goes to stdout and nothing else does; errors, logs, notes and questions
// go to stderr. An error is one line, and the exit code says what kind it is.
package cli

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
)

// Main runs one command and gives the exit code of the process. Canceling ctx
// interrupts the command; what it must clean up, it still does.
//
// It directs the log lines of the Redis client, which are of the whole
// process: it is for programs that do nothing else.
func Main(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	return newProgram(in, out, errOut).run(ctx, args)
}

// program is one run of the command line.
type program struct {
	in      io.Reader
	out     io.Writer
	errOut  *maskingWriter
	environ func() []string
	asks    bool          // someone is there to answer a question
	slow    time.Duration // see slowMedian

	args    []string
	flags   globalFlags
	log     *slog.Logger
	started bool // the arguments were understood: what fails now is no usage mistake
}

func newProgram(in io.Reader, out, errOut io.Writer) *program {
	return &program{
		in: in, out: out, errOut: &maskingWriter{w: errOut},
		environ: os.Environ, asks: isTerminal(in) && isTerminal(errOut),
		slow: slowMedian, log: slog.New(slog.DiscardHandler),
	}
}

func (p *program) run(ctx context.Context, args []string) int {
	defer p.errOut.close()
	p.args = append([]string{}, args...) // not nil: cobra would take those of the process
	redis.SetLogger(clientLog{p.log})
	root := p.rootCommand()
	root.SetArgs(p.args)
	cmd, err := root.ExecuteContextC(ctx)
	return p.finish(ctx, cmd, err)
}

// isTerminal reports a character device: a terminal, or /dev/null, which
// answers no question.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// action is the work of a command. It marks the end of the parsing of
// arguments and prepares the log.
func (p *program) action(work func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if p.flags.timeout <= 0 {
			return usagef("--timeout: got %v, want more than 0", p.flags.timeout)
		}
		p.started = true
		p.openLog()
		return work(cmd.Context(), args)
	}
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/embedded"
	"github.com/statelink/statelink/redismanager"
)

const (
	maxDemoPods  = 64
	maxDemoUsers = 100_000
	// maxEmbeddedUsers keeps the demo on the server in the process small enough
	// for that server to be quick, and exact about times to live.
	maxEmbeddedUsers = 200
	// demoMaxAge is when a pod of the demo counts as dead. It is many heartbeats,
	// so that a machine with other work to do kills no pod by mistake.
	demoMaxAge = 2 * time.Second
	demoBeat   = 150 * time.Millisecond
)

const demoLong = `Shows what Statelink is for, in seven steps, and checks each of them: every
number is read back from Redis. A step that is not as expected is marked WRONG,
and the exit code is 1.

It runs on a Redis inside this program, so that nothing needs to be installed.
With --redis, else --config, it runs on a real one, with credentials and other
settings from the environment, which alone is not enough for that. There it uses
a namespace of its own, removes what it wrote, also when interrupted, and
touches nothing else.

All random choices come from --seed. It takes a few seconds, with very many
users (which need a real Redis) about a minute. Its limit is 20 s and 2 ms for
each user, unless --timeout gives another.`

type demoFlags struct {
	pods, users int
	seed        int64
	timeout     time.Duration // for the whole demo, without the cleaning up
	real        bool          // not the Redis inside the process
}

func (p *program) demoCommand() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show what Statelink does, on a Redis inside this program",
		Long:  demoLong,
		Example: `  statelink demo
  statelink demo --pods 5 --users 200 --seed 7
  statelink demo --redis redis://localhost:6379 -o json`,
		Args: exactArgs(""),
	}
	cmd.Flags().IntVar(&f.pods, "pods", 3, fmt.Sprintf("number of pods, 2 to %d", maxDemoPods))
	cmd.Flags().IntVar(&f.users, "users", 12, fmt.Sprintf("number of users, 1 to %d; above %d only with --redis", maxDemoUsers, maxEmbeddedUsers))
	cmd.Flags().Int64Var(&f.seed, "seed", 0, "source of all random choices (default from the time)")
	cmd.RunE = p.action(func(ctx context.Context, _ []string) error {
		changed := cmd.Flags().Changed
		if changed("namespace") {
			return usagef("--namespace: the demo has a namespace of its own")
		}
		f.real = changed("redis") || changed("config")
		if !changed("seed") {
			f.seed = time.Now().UnixMicro() % 1_000_000_000
		}
		if f.timeout = p.flags.timeout; !changed("timeout") {
			f.timeout = 20*time.Second + time.Duration(f.users)*2*time.Millisecond
		}
		return p.demo(ctx, f)
	})
	return cmd
}

func (f demoFlags) check() error {
	switch {
	case f.pods < 2 || f.pods > maxDemoPods:
		return usagef("--pods: got %d, want 2 to %d", f.pods, maxDemoPods)
	case f.users < 1 || f.users > maxDemoUsers:
		return usagef("--users: got %d, want 1 to %d", f.users, maxDemoUsers)
	case f.users > maxEmbeddedUsers && !f.real:
		return usagef("--users: got %d, want at most %d, or a real Redis by --redis", f.users, maxEmbeddedUsers)
	}
	return nil
}

func (p *program) demo(ctx context.Context, f demoFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	cfg, stop, err := p.demoRedis(f.real)
	if err != nil {
		return err
	}
	defer stop()
	limited, cancel := context.WithTimeoutCause(ctx, f.timeout, fmt.Errorf("the demo did not end within %v", f.timeout))
	defer cancel()
	s, err := p.connect(limited, cfg, statelink.WithPodMaxAge(demoMaxAge))
	if err != nil {
		return err
	}
	return errors.Join(p.tell(limited, newDemo(s, f)), s.close())
}

// demoRedis gives the Redis to run on, and what ends it.
func (p *program) demoRedis(isReal bool) (cfg redismanager.RedisConfig, stop func(), err error) {
	if isReal {
		cfg, err = p.loadConfig()
		return cfg, func() {}, err
	}
	server, err := embedded.Start()
	if err != nil {
		return cfg, nil, err
	}
	return redismanager.RedisConfig{Addr: server.Addr()}, func() { _ = server.Close() }, nil
}

// tell runs the demo and prints it: step by step for people, in one document
// at the end for programs.
func (p *program) tell(ctx context.Context, d *demo) error {
	show := &demoPrinter{w: p.out, quiet: p.flags.output == formatJSON}
	report := d.run(ctx, show)
	if show.quiet {
		show.err = p.printJSON(report)
	}
	if show.err != nil {
		return show.err
	}
	return report.err
}

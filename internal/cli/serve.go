package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"github.com/statelink/statelink/metrics"
	"github.com/statelink/statelink/redisconfig"
	"github.com/statelink/statelink/redismanager"
)

// serveFlags are those of serve.
type serveFlags struct {
	listen        string
	interval      time.Duration
	followScripts bool
}

const serveLong = `Watches one Redis deployment and tells of it over HTTP, until it is interrupted:

  /metrics   for Prometheus: health of each node, pools, scripts, changes
  /healthz   200 while this process runs
  /readyz    200 while Redis serves: every master runs a script; else 503 and why

It waits for a Redis that is not there. With --config it follows the file, and
the password and TLS files that it names. Logs go to stderr: one line for each
change of state.`

func (p *program) serveCommand() *cobra.Command {
	var flags serveFlags
	cmd := &cobra.Command{
		Use:     "serve",
		Short:   "Serve metrics and health of the Redis deployment over HTTP",
		Long:    serveLong,
		Example: "  statelink serve\n  statelink serve --config statelink.yaml --listen :9180",
		Args:    exactArgs(""),
		RunE:    p.action(func(ctx context.Context, _ []string) error { return p.serve(ctx, flags) }),
	}
	f := cmd.Flags()
	f.StringVar(&flags.listen, "listen", "127.0.0.1:9180", "`ADDRESS` to listen on, host:port")
	f.DurationVar(&flags.interval, "health-interval", 2*time.Second, "time between two checks of every node, 100ms to 5m")
	f.BoolVar(&flags.followScripts, "follow-scripts", false, "load the scripts that are pushed for the namespace")
	return cmd
}

// serve runs until ctx ends, which is no failure.
func (p *program) serve(ctx context.Context, flags serveFlags) error {
	if flags.interval < 100*time.Millisecond || flags.interval > 5*time.Minute {
		return usagef("--health-interval: got %v, want 100ms to 5m", flags.interval)
	}
	listener, err := net.Listen("tcp", flags.listen)
	if err != nil {
		return usagef("--listen: %w", err)
	}
	p.serveLog()
	s := newMonitor(p)
	server := &http.Server{
		Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	_, err = fmt.Fprintf(p.out, "listening on http://%s\n", listener.Addr())
	if err == nil {
		err = s.run(ctx, flags, served)
	}
	return errors.Join(err, stopServing(server))
}

// stopServing lets requests in progress end.
func stopServing(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(ctx)
}

// serveLog logs to stderr though nobody asked with --verbose: it is what a
// service has.
func (p *program) serveLog() {
	if !p.flags.verbose {
		p.log = slog.New(slog.NewTextHandler(p.errOut, nil))
	}
}

// monitor is what serve shows.
type monitor struct {
	program  *program
	registry *prometheus.Registry
	manager  managerHolder
}

func newMonitor(p *program) *monitor {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &monitor{program: p, registry: registry}
}

func (s *monitor) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.Handle("GET /healthz", s.manager.handler((*redismanager.Manager).LiveHandler, http.StatusOK))
	mux.Handle("GET /readyz", s.manager.handler((*redismanager.Manager).ReadyHandler, http.StatusServiceUnavailable))
	return mux
}

// run connects, and waits for the end.
func (s *monitor) run(ctx context.Context, flags serveFlags, served <-chan error) error {
	watcher, cfg, err := s.configuration()
	if err != nil {
		return err
	}
	if watcher != nil {
		defer func() { _ = watcher.Close() }()
	}
	opened, err := s.connect(ctx, cfg, watcher)
	if err != nil {
		return endOrError(ctx, err)
	}
	defer func() { _ = opened.close() }()
	if watcher != nil {
		if err := watcher.Follow(opened.manager.UpdateConfigContext); err != nil {
			return err
		}
		defer func() { _ = watcher.Close() }() // before the manager, to which it hands configurations
	}
	return s.watch(ctx, opened, flags, served)
}

// watch shows the deployment until ctx ends or the server does.
func (s *monitor) watch(ctx context.Context, opened *session, flags serveFlags, served <-chan error) error {
	unregister, err := metrics.Register(s.registry, opened.exec)
	if err != nil {
		return err
	}
	defer unregister()
	opened.manager.StartHealthCheck(flags.interval)
	if flags.followScripts {
		stop, err := opened.exec.FollowScripts(ctx, s.program.flags.namespace)
		if err != nil {
			return endOrError(ctx, err)
		}
		defer stop()
	}
	s.manager.set(opened.manager)
	select {
	case <-ctx.Done():
		return nil
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	}
}

// configuration follows the file if there is one.
func (s *monitor) configuration() (*redisconfig.Watcher, redismanager.RedisConfig, error) {
	p := s.program
	cfg, err := p.loadConfig()
	if err != nil || p.flags.redis != "" || p.flags.config == "" && p.env("STATELINK_CONFIG", "") == "" {
		return nil, cfg, err
	}
	watcher, err := redisconfig.Watch(
		redisconfig.WithEnvironment(p.environ), redisconfig.WithFile(p.flags.config), redisconfig.WithWatchLogger(p.log),
	)
	if err != nil {
		return nil, cfg, configError{err}
	}
	return watcher, *watcher.Config(), nil
}

// connectPause is the time between two tries to reach a Redis that is not there.
const connectPause = time.Second

// connect waits for Redis: what watches it must not need it. With a file each
// try takes what the file says then.
func (s *monitor) connect(ctx context.Context, cfg redismanager.RedisConfig, watcher *redisconfig.Watcher) (*session, error) {
	for told := redismanager.ClassOK; ; {
		try, cancel := s.program.bounded(ctx)
		opened, err := s.program.connect(try, cfg)
		cancel()
		if err == nil || errors.As(err, new(configError)) || errors.Is(err, redismanager.ErrWrongTopology) {
			return opened, err
		}
		if class := redismanager.Classify(err); class != told {
			s.program.log.Warn("redis cannot be used yet", "error", err)
			told = class
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(connectPause):
		}
		if watcher != nil {
			cfg = s.reread(cfg)
		}
	}
}

// reread loads the file again; a bad one is told and leaves the configuration as
// it was.
func (s *monitor) reread(cfg redismanager.RedisConfig) redismanager.RedisConfig {
	fresh, err := redisconfig.LoadRedisConfig(redisconfig.WithEnvironment(s.program.environ), redisconfig.WithFile(s.program.flags.config))
	if err != nil {
		s.program.log.Warn("the configuration file cannot be used", "error", err)
		return cfg
	}
	return *fresh
}

// endOrError drops the error of a command that was told to end.
func endOrError(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

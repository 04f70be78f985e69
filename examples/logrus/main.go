// Logrus shows how a program that logs with logrus gets the manager's log lines
// in its own log: logrus gives a handler for log/slog, which the manager takes.
package main

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/sirupsen/logrus"
	hook "github.com/sirupsen/logrus/hooks/slog"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/embedded"
	"github.com/statelink/statelink/redismanager"
)

func main() {
	if err := run(os.Stdout); err != nil {
		logrus.Fatal(err)
	}
}

func run(out io.Writer) error {
	log := logrus.New() // in a real program: the logger that it has
	log.SetOutput(out)
	log.SetFormatter(&logrus.TextFormatter{DisableColors: true, DisableTimestamp: true})

	srv, err := embedded.Start() // in production: the address of your Redis
	if err != nil {
		return err
	}
	defer srv.Close()

	ctx := context.Background()
	cfg := redismanager.RedisConfig{Addr: srv.Addr()}
	manager, err := redismanager.New(ctx, cfg, redismanager.WithLogger(slog.New(hook.NewHandler(log, nil))))
	if err != nil {
		return err
	}
	defer manager.Close()
	links, err := statelink.NewExecutor(manager)
	if err != nil {
		return err
	}

	if _, err := links.SetLinkedPod(ctx, "default", "u42", "game", 1, statelink.PersistForever); err != nil {
		return err
	}
	cfg.PoolSize = 20 // a change of state, of which the manager logs
	return manager.UpdateConfig(&cfg)
}

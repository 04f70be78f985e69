// Command statelink looks at and changes links, pods and scripts in Redis.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/statelink/statelink/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Command table prints the figures that the tests of package reliability wrote
// into a file as a table in Markdown:
//
//	go run ./internal/reliability/table FILE
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/statelink/statelink/internal/reliability"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("want one file of figures, got %d", len(args))
	}
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	reports, err := reliability.ReadReports(f)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return reliability.WriteTable(out, reports)
}

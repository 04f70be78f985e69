package redistest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// childVar makes the test binary play a part in a test of another one.
const childVar = "REDISTEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childVar) {
	case "serve":
		serve()
	case "leak":
		go leak()
	}
	Main(m)
}

func leak() { select {} }

// serve starts a server, prints its pid and waits to be killed.
func serve() {
	s, err := startServer(config{})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(s.PID())
	select {}
}

// A run whose tests pass but leave a goroutine behind must fail.
func TestMainFailsOnLeak(t *testing.T) {
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childVar+"=leak")
	out, err := child.CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, 1, exit.ExitCode())
	require.Contains(t, string(out), "goroutines left after the tests")
	require.Contains(t, string(out), "redistest.leak")
}

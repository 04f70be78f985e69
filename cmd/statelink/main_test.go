package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// build makes the program as a user would.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "statelink")
	out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return program
}

func TestProgram(t *testing.T) {
	program := build(t)
	srv := redistest.SharedStandalone(t)

	t.Run("exit codes and streams", func(t *testing.T) {
		for args, code := range map[string]int{"version": 0, "config check": 0, "frobnicate": 2, "link get a b --redis redis://127.0.0.1:1": 1} {
			var out, errOut bytes.Buffer
			cmd := exec.Command(program, strings.Fields(args)...)
			cmd.Env, cmd.Stdout, cmd.Stderr = []string{}, &out, &errOut
			_ = cmd.Run()
			require.Equal(t, code, cmd.ProcessState.ExitCode(), args)
			require.Equal(t, code == 0, errOut.Len() == 0, "%s: %s", args, errOut.String())
			require.Equal(t, code == 0, out.Len() > 0, "%s: %s", args, out.String())
		}
	})

	t.Run("an interrupted demo cleans up", func(t *testing.T) {
		before, err := srv.Client(t).DBSize(t.Context()).Result()
		require.NoError(t, err)
		cmd := exec.CommandContext(t.Context(), program, "demo", "--redis", "redis://"+srv.Addr())
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		var story strings.Builder
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			story.WriteString(lines.Text() + "\n")
			if strings.HasPrefix(lines.Text(), "4. ") { // its users are placed, its pods report
				require.NoError(t, cmd.Process.Signal(os.Interrupt))
			}
		}
		_ = cmd.Wait()
		require.Equal(t, 130, cmd.ProcessState.ExitCode(), story.String())
		require.Contains(t, story.String(), "\nCleaned up: ")
		after, err := srv.Client(t).DBSize(t.Context()).Result()
		require.NoError(t, err)
		require.Equal(t, before, after)
	})
}

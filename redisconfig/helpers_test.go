package redisconfig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/redismanager"
)

// canary stands for every secret in the tests: it may appear in no error.
const canary = "CaNaRy7"

// writeFile makes a file in the test's own folder.
func writeFile(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// withVariables replaces the environment.
func withVariables(lines ...string) Option {
	return WithEnvironment(func() []string { return lines })
}

// requireProblems compares the lines of an error, with the file's path written
// as FILE, and that every line is a SettingError without the canary.
func requireProblems(t *testing.T, err error, path string, want ...string) {
	t.Helper()
	require.ErrorIs(t, err, redismanager.ErrInvalidArgument)
	requireNoCanary(t, err)
	text := err.Error()
	if path != "" {
		text = strings.ReplaceAll(text, path, "FILE")
	}
	for i := range want {
		want[i] = "invalid argument: " + want[i]
	}
	require.Equal(t, want, strings.Split(text, "\n"))
	for _, one := range split(err) {
		var setting *SettingError
		require.ErrorAs(t, one, &setting)
	}
}

// requireNoCanary prints the error and every error in its tree in each way.
func requireNoCanary(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
		if text := fmt.Sprintf(verb, err); strings.Contains(strings.ToLower(text), strings.ToLower(canary)) {
			t.Errorf("a secret is in the error printed with %s: %s", verb, text)
		}
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			requireNoCanary(t, one)
		}
		return
	}
	requireNoCanary(t, errors.Unwrap(err))
}

package statelink_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadmeProgram runs the program of the README as a newcomer would, and
// compares what it prints with what the README says it prints.
func TestReadmeProgram(t *testing.T) {
	program, output := fenced(t, "go", 1), fenced(t, "text", 1)
	require.LessOrEqual(t, countStatements(program), 25, "the first program stays short")
	file := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(file, []byte(program), 0o600))
	got, err := exec.CommandContext(t.Context(), "go", "run", file).CombinedOutput()
	require.NoError(t, err, "%s", got)
	require.Equal(t, output, string(got))
}

// countStatements counts the lines of main that do something.
func countStatements(program string) int {
	_, body, _ := strings.Cut(program, "func main() {\n")
	body, _, _ = strings.Cut(body, "\n}\n")
	n := 0
	for line := range strings.Lines(body) {
		if strings.TrimSpace(line) != "" {
			n++
		}
	}
	return n
}

// fenced gives the text of the n-th block of a language in the README.
func fenced(tb testing.TB, language string, n int) string {
	tb.Helper()
	readme, err := os.ReadFile("README.md")
	require.NoError(tb, err)
	blocks := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllSubmatch(readme, -1)
	require.GreaterOrEqual(tb, len(blocks), n)
	return string(blocks[n-1][1])
}

// TestReadmeMonitoring holds each line of the part about monitoring against the
// program that it is taken from, which has a test of its own.
func TestReadmeMonitoring(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, part, _ := strings.Cut(string(readme), "\n## Monitoring\n")
	_, part, _ = strings.Cut(part, "```go\n")
	block, _, _ := strings.Cut(part, "```")
	program, err := os.ReadFile("examples/monitoring/main.go")
	require.NoError(t, err)
	require.GreaterOrEqual(t, strings.Count(block, "\n"), 3)
	for line := range strings.Lines(block) {
		require.Contains(t, string(program), "\t"+line)
	}
}

// TestReadmeLinks follows every relative link of the documents.
func TestReadmeLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:\[\]]+)(#[^)]*)?\)`) // "[a-z](" in a pattern is no link
	documents, err := filepath.Glob("docs/decisions/*.md")
	require.NoError(t, err)
	found := 0
	for _, document := range append(documents, "deploy/README.md", "docs/metrics.md", "examples/README.md", "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md") {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		for _, match := range link.FindAllSubmatch(text, -1) {
			found++
			_, err := os.Stat(filepath.Join(filepath.Dir(document), string(match[1])))
			require.NoError(t, err, "%s links to %s", document, match[1])
		}
	}
	require.Greater(t, found, 10)
}

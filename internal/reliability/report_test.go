package reliability

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReportTable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "figures.jsonl")
	zero, five := 0.0, 5000.0
	old := Report{Test: "TestX", Run: library, Figures: []Figure{{Name: "calls", Value: 1}}}
	now := Report{Test: "TestX", Run: library, Passed: true, Figures: []Figure{
		{Name: "calls", Value: 12345678},
		{Name: "window", Value: 5000.5, Unit: "ms", Most: &five},
		{Name: "failed", Value: 0, Most: &zero, Least: &zero},
		{Name: "answered", Value: 7000, Least: &five},
	}}
	for _, r := range []Report{old, now} {
		require.NoError(t, r.Append(file))
	}
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	reports, err := ReadReports(f)
	require.NoError(t, err)
	require.Equal(t, []Report{old, now}, reports)

	var table strings.Builder
	require.NoError(t, WriteTable(&table, reports))
	require.Equal(t, strings.Join([]string{
		"| test | run | figure | bound | measured |",
		"|---|---|---|---|---|",
		"| `TestX` | statelink | calls |  | 12345678 |",
		"| `TestX` | statelink | window | at most 5000 ms | **5000.5 ms** |",
		"| `TestX` | statelink | failed | 0 | 0 |",
		"| `TestX` | statelink | answered | at least 5000 | 7000 |",
		"",
	}, "\n"), table.String())

	_, err = ReadReports(strings.NewReader("{}\nnot JSON\n"))
	require.ErrorContains(t, err, "line 2")
}

func TestResources(t *testing.T) {
	before := ReadResources()
	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer f.Close()
	now := ReadResources()
	require.Positive(t, now.Goroutines)
	if before.Files > 0 { // there is /proc
		require.Greater(t, now.Files, 0)
		require.Positive(t, now.RSS)
	}
}

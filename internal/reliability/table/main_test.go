package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/reliability"
)

func TestTable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "figures.jsonl")
	require.NoError(t, reliability.Report{Test: "TestX", Run: "statelink", Figures: []reliability.Figure{{Name: "calls", Value: 3}}}.Append(file))
	var out bytes.Buffer
	require.NoError(t, run([]string{file}, &out))
	require.Contains(t, out.String(), "| `TestX` | statelink | calls |  | 3 |")
	require.Error(t, run(nil, &out))
	require.Error(t, run([]string{file + ".missing"}, &out))
}

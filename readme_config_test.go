package statelink_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/redisconfig"
)

// TestReadmeConfigurationTable holds the README's table against the settings
// that the code knows.
func TestReadmeConfigurationTable(t *testing.T) {
	var want strings.Builder
	want.WriteString("| key | default | meaning |\n|---|---|---|\n")
	for _, k := range redisconfig.Keys() {
		require.Equal(t, "STATELINK_"+strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_")), k.Env)
		value := ""
		if k.Default != "" {
			value = "`" + k.Default + "`"
		}
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", k.Name, value, k.Doc)
	}
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), want.String(), "the table in the README must be:\n%s", want.String())
}

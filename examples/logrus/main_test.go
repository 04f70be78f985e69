package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(&out))
	require.Regexp(t, `^level=info msg="redis state changed" event=config_replaced from="standalone 127\.0\.0\.1:\d+, pool_size 10" to="standalone 127\.0\.0\.1:\d+, pool_size 20"\n$`, out.String())
}

package reliability

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
)

func TestLoadCounts(t *testing.T) {
	watchLeaks(t)
	lostReply := fmt.Errorf("x: %w", statelink.ErrOutcomeUnknown)
	notDurable := fmt.Errorf("x: %w", statelink.ErrNotDurable)
	outcomes := []error{nil, lostReply, notDurable, statelink.ErrTimeout, errors.New("MOVED 1")}
	var calls atomic.Int64
	load := Load{
		Callers: len(outcomes), Timeout: time.Second,
		Group: func(caller int) string { return []string{"even", "odd"}[caller%2] },
		Call: func(ctx context.Context, caller, n int) error {
			_, bounded := ctx.Deadline()
			require.True(t, bounded)
			calls.Add(1)
			return outcomes[caller]
		},
	}.Start()
	awaitCalls(t, load, 100)
	groups := load.Stop()
	even, odd := groups["even"], groups["odd"]
	require.EqualValues(t, calls.Load(), even.Calls+odd.Calls)
	require.EqualValues(t, load.Calls(), calls.Load())
	require.Equal(t, even.Calls, even.OK+even.Applied+even.NotApplied)
	require.Equal(t, odd.Calls, odd.Unknown+odd.NotApplied)
	require.Equal(t, even.NotApplied, even.Classes["MOVED"])
	require.Equal(t, odd.Unknown, odd.Classes["outcome_unknown"])
	require.Positive(t, even.Window())
	require.Positive(t, even.After(even.First))
	require.Zero(t, even.After(time.Now()))
}

func TestLatencyQuantiles(t *testing.T) {
	var l Latency
	require.Zero(t, l.Quantile(0.99))
	for i := range 100 {
		l.Add(time.Duration(i+1) * time.Millisecond)
	}
	require.InEpsilon(t, float64(50*time.Millisecond), float64(l.Quantile(0.5)), 0.06)
	require.InEpsilon(t, float64(99*time.Millisecond), float64(l.Quantile(0.99)), 0.06)
	require.Equal(t, 100*time.Millisecond, l.Quantile(1))
	l.Add(24 * time.Hour)
	l.Add(0)
	require.Equal(t, 24*time.Hour, l.Max())
}

func TestSlope(t *testing.T) {
	require.Zero(t, Slope([]float64{5}))
	require.InDelta(t, 2, Slope([]float64{1, 3, 5, 7}), 1e-9)
	require.InDelta(t, 0, Slope([]float64{4, 4, 4}), 1e-9)
}

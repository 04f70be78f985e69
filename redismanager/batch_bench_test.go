package redismanager_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// 1,000 runs of a script: one by one, and in a batch.
func BenchmarkThousandScripts(b *testing.B) {
	for _, top := range topologies {
		m := open(b, top.config(b), redismanager.WithScripts(counting))
		ctx, prefix := context.Background(), redistest.NewPrefix(b)
		items := make([]redismanager.BatchItem, 1000)
		for i := range items {
			items[i] = run("counting", prefix+strconv.Itoa(i))
		}
		b.Run(top.name+"/single", func(b *testing.B) {
			for b.Loop() {
				for _, item := range items {
					_, err := m.ExecuteScript(ctx, item.Script, item.Keys, item.Args)
					require.NoError(b, err)
				}
			}
		})
		b.Run(top.name+"/batch", func(b *testing.B) {
			for b.Loop() {
				results, err := m.Batch(ctx, items)
				require.True(b, noFailure(results, err))
			}
		})
	}
}

// Three changes of one slot: as a transaction, and as three calls.
func BenchmarkTransaction(b *testing.B) {
	m := open(b, topologies[0].config(b), redismanager.WithScripts(counting))
	ctx, key := context.Background(), redistest.NewPrefix(b)
	items := []redismanager.BatchItem{run("counting", key), run("counting", key), run("counting", key)}
	b.Run("tx", func(b *testing.B) {
		for b.Loop() {
			results, err := m.Tx(ctx, items)
			require.True(b, noFailure(results, err))
		}
	})
	b.Run("single", func(b *testing.B) {
		for b.Loop() {
			for _, item := range items {
				_, err := m.ExecuteScript(ctx, item.Script, item.Keys, item.Args)
				require.NoError(b, err)
			}
		}
	})
}

package redistest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeySlotAgreesWithRedis(t *testing.T) {
	ctx := context.Background()
	client := SharedCluster(t).Nodes()[0].Client(t)
	for _, key := range []string{"", "a", "123456789", "{a}b", "x{a}", "{}a", "{a", "a}b{c}", "{{a}}", "sf:{n:lk:u}s"} {
		require.EqualValues(t, client.ClusterKeySlot(ctx, key).Val(), keySlot(key), key)
	}
}

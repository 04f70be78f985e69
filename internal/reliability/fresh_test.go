package reliability

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
)

// fresh is a load that links a new uid with each call, so that every
// acknowledged link can be looked for afterwards.
type fresh struct {
	on    Linker
	judge func(error) Outcome // reads the errors of on
	acked [][]string          // by caller; each written by its caller alone
}

func newFresh(on Linker, callers int) *fresh {
	return &fresh{on: on, judge: JudgeLibrary, acked: make([][]string, callers)}
}

func (f *fresh) call(ctx context.Context, caller, n int) error {
	uid := fmt.Sprintf("c%dn%d", caller, n)
	_, err := f.on.Set(ctx, uid, caller)
	if err == nil {
		f.acked[caller] = append(f.acked[caller], uid)
	}
	return err
}

// lost reads all acknowledged links with e and counts those that are not there.
func (f *fresh) lost(t *testing.T, e *statelink.Executor, ns string) (acked, missing int) {
	t.Helper()
	for _, uids := range f.acked {
		acked += len(uids)
		for part := range slices.Chunk(uids, 1000) {
			byPod, err := e.BatchGetLinkedPod(within(t, 10*time.Second), ns, part, service)
			require.NoError(t, err)
			missing += len(byPod[statelink.NoPod])
		}
	}
	return acked, missing
}

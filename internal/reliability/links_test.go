package reliability

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
)

func TestOwnerJudges(t *testing.T) {
	o := newOwner(2)
	require.Equal(t, right, o.judge(statelink.NoPod), "nothing was linked yet")
	first := o.next()
	o.wrote(first, OK)
	require.Equal(t, right, o.judge(first))

	unknown := o.next()
	o.wrote(unknown, Unknown)
	require.Equal(t, right, o.judge(first), "it may not have been applied")
	require.Equal(t, right, o.judge(unknown), "it may have been")

	refused := o.next()
	o.wrote(refused, NotApplied)
	require.Equal(t, wrong, o.judge(refused), "it was reported as not applied")
	require.Equal(t, wrong, o.judge(refused+1), "nobody asked for it")
	require.Equal(t, wrong, o.judge(3*podsPerCaller+1), "another caller's")
	require.Equal(t, wrong, o.judge(0))

	last := o.next()
	o.wrote(last, Applied)
	require.Equal(t, lost, o.judge(first))
	require.Equal(t, right, o.judge(first), "what is lost is told once")
	require.Equal(t, lost, o.judge(statelink.NoPod))
}

package statelink_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/redismanager"
)

// badArgument is one value that no method takes.
type badArgument struct {
	check string // as in method.fields
	set   func(p *params)
}

var badArguments = concatBad(
	badTexts("namespace", badNames, func(p *params, s string) { p.ns = s }),
	badTexts("service", badNames, func(p *params, s string) { p.service = s }),
	badTexts("uid", badUIDs, func(p *params, s string) { p.uid = s }),
	badTexts("state", badStates, func(p *params, s string) { p.state = s }),
	badTexts("workload state", badWorkloads, func(p *params, s string) { p.workload = s }),
	badNumbers("pod", []int{-1, statelink.MaxPod + 1, math.MinInt, math.MaxInt}, func(p *params, n int) { p.pod = n }),
	badNumbers("persistSeconds", []int{0, -2, statelink.MaxPersistSeconds + 1, math.MinInt, math.MaxInt}, func(p *params, n int) { p.persist = n }),
	badNumbers("removal", []int{-2, statelink.MaxPersistSeconds + 1, math.MinInt, math.MaxInt}, func(p *params, n int) { p.persist = n }),
	badNumbers("load", []int{-1, statelink.MaxLoad + 1, math.MinInt}, func(p *params, n int) { p.load = int64(n) }),
	badNumbers("routing", []int{-1, 3}, func(p *params, n int) { p.routing = statelink.Routing(n) }),
	badNumbers("limit", []int{-1, 1_000_001}, func(p *params, n int) { p.limit = n }),
	badNumbers("maxAge", []int{-1, 1, int(time.Millisecond) - 1, int(24*time.Hour) + 1}, func(p *params, n int) { p.maxAge = time.Duration(n) }),
)

const fragment = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n" // a whole command of the protocol

var (
	badNames = []string{
		"", ":", "a:b", "{", "}", "{}", "{a}", "a}b", "a{b", ".", "-a", "a-", "_a", "a.", "a b", " a", "a/b", "a*", "a?", "[a]",
		"a\x00", "a\nb", "a\r\n", "\xff", "ü", "名前", "'a'", `a"`, `a\b`, "a%s", "a\u200b", fragment,
		strings.Repeat("a", 254), strings.Repeat("a", 64<<10),
	}
	badUIDs = []string{
		"", "{", "}", "{}", "a}b", "a{b", "{a}", "a\x00b", "a\n", "\r\n", "\t", "\x1b[31m", "\x7f", "\u0085", "\xff", "a\xc3", "\xed\xa0\x80",
		fragment, strings.Repeat("a", 513), strings.Repeat("ü", 257), strings.Repeat("a", 64<<10),
	}
	badStates = []string{
		"", "7", "7-0", "7-0-3", "7-0-1-1", "-7-0-1", "7--1-1", "07-0-1", "7-0-01", "+7-0-1", "7-0- 1", " 7-0-1", "x-0-1", "7-0-ready", "7.0-0-1",
		"9007199254740992-0-1", "99999999999999999999-0-1", "7-0-1\n", "7-0-1\x00", strings.Repeat("7", 64<<10) + "-0-1",
	}
	badWorkloads = []string{"", "a\nb", "a\x00", "\x7f", "\u0085", "\xff", strings.Repeat("a", 1025), strings.Repeat("a", 64<<10)}
)

func concatBad(lists ...[]badArgument) (all []badArgument) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

func badTexts(check string, values []string, set func(p *params, s string)) (list []badArgument) {
	for _, value := range values {
		list = append(list, badArgument{check, func(p *params) { set(p, value) }})
	}
	return list
}

func badNumbers(check string, values []int, set func(p *params, n int)) (list []badArgument) {
	for _, value := range values {
		list = append(list, badArgument{check, func(p *params) { set(p, value) }})
	}
	return list
}

// fieldName is what the error calls the argument that a check is about.
func fieldName(check string) string {
	if check == "removal" {
		return "persistSeconds"
	}
	return check
}

// TestBadArguments gives every method every bad value of every argument, with
// all others good. The executor is closed: a refusal that came after the first
// step towards a server would be ErrClosed.
func TestBadArguments(t *testing.T) {
	t.Parallel()
	exec := backendNamed(t, "embedded").ownExecutor(t, nil)
	require.NoError(t, exec.Close())
	refused := map[string]int{}
	for _, m := range methods {
		for _, bad := range badArguments {
			p := validParams("default")
			bad.set(&p)
			err := m.call(t.Context(), exec, p)
			if !m.takes(bad.check) {
				continue
			}
			requireRefusal(t, err, fieldName(bad.check), m.name)
			refused[bad.check]++
		}
	}
	for _, bad := range badArguments {
		require.Positive(t, refused[bad.check], bad.check)
	}
	for _, m := range methods {
		require.ErrorIs(t, m.call(t.Context(), exec, validParams("default")), statelink.ErrClosed, m.name)
	}
}

func (m method) takes(check string) bool {
	for _, field := range m.fields {
		if field == check {
			return true
		}
	}
	return false
}

// requireRefusal checks that an error refuses the field, and that it is fit to
// be read: what a caller gave is shown escaped and cut.
func requireRefusal(t tester, err error, field, what string) {
	t.Helper()
	var refusal *redismanager.FieldError
	require.ErrorAs(t, err, &refusal, what)
	require.Equal(t, field, refusal.Field, what)
	require.ErrorIs(t, err, statelink.ErrInvalidArgument, what)
	require.Equal(t, redismanager.ClassInvalidArgument, statelink.Classify(err), what)
	require.False(t, statelink.Retryable(err), what)
	require.Less(t, len(err.Error()), 400, what)
	require.NotContains(t, err.Error(), "\n", what)
	require.NotContains(t, err.Error(), "\x00", what)
}

// TestFirstBadArgumentIsNamed: with several bad ones the error names one of
// them, and the names of the stored keys come first.
func TestFirstBadArgumentIsNamed(t *testing.T) {
	t.Parallel()
	exec := backendNamed(t, "embedded").executor(t)
	bad := params{ns: ":", uid: "{", service: ":", pod: -5, persist: -5, state: "x", load: -5, routing: -5, maxAge: -5, limit: -5}
	for _, m := range methods {
		first := m.fields[0]
		if m.takes("state") {
			first = "state" // parsed before the rest is looked at
		}
		requireRefusal(t, m.call(t.Context(), exec, bad), first, m.name)
	}
}

// TestBatchNamesTheBadElement: one bad uid among thousands must be found.
func TestBatchNamesTheBadElement(t *testing.T) {
	t.Parallel()
	exec := backendNamed(t, "embedded").executor(t)
	_, err := exec.BatchGetLinkedPod(t.Context(), "default", []string{"a", "b", "c}"}, "chat")
	requireRefusal(t, err, "uid", "batch of uids")
	require.ErrorContains(t, err, "uids[2]")
	_, err = exec.GetWorkloadStateBatch(t.Context(), "default", []string{"a", ":"})
	requireRefusal(t, err, "service", "batch of services")
	require.ErrorContains(t, err, "serviceNames[1]")
	_, err = exec.GetWorkloadStateBatch(t.Context(), ":", []string{"a"})
	requireRefusal(t, err, "namespace", "batch of services")
}

// TestOptions: what an executor is made with is checked as well.
func TestOptions(t *testing.T) {
	t.Parallel()
	exec := backendNamed(t, "embedded").executor(t)
	for _, bad := range []struct {
		field  string
		option statelink.Option
	}{
		{"key prefix", statelink.WithKeyPrefix("")},
		{"key prefix", statelink.WithKeyPrefix("a:b")},
		{"key prefix", statelink.WithKeyPrefix("{a}")},
		{"pod max age", statelink.WithPodMaxAge(0)},
		{"pod max age", statelink.WithPodMaxAge(100*time.Millisecond - 1)},
		{"pod max age", statelink.WithPodMaxAge(24*time.Hour + 1)},
	} {
		_, err := statelink.NewExecutor(exec.Manager(), bad.option)
		requireRefusal(t, err, bad.field, bad.field)
	}
	_, err := statelink.NewExecutor(nil)
	requireRefusal(t, err, "manager", "no manager")
	_, err = statelink.NewScriptExecutor(nil)
	requireRefusal(t, err, "manager", "no manager")
}

// TestExecutorsOnOneManager: the manager is its owner's, and may serve several
// executors, each with its own prefix.
func TestExecutorsOnOneManager(t *testing.T) {
	t.Parallel()
	s := newStage(t, backendNamed(t, "standalone").executor(t))
	other, err := statelink.NewExecutor(s.Manager(), statelink.WithKeyPrefix("app.v2"))
	require.NoError(t, err)
	require.Same(t, s.Manager(), other.Manager())
	_, err = other.SetLinkedPod(s.ctx, s.ns, "alice", "chat", 3, forever)
	require.NoError(t, err)
	s.requireLink(t, "alice", "chat", unlinked)
	keys := statelink.NewKeys("app.v2")
	require.Equal(t, "app.v2:{"+s.ns+":lk:alice}chat", keys.Link(s.ns, "alice", "chat"))
	require.Equal(t, "3", s.raw().Get(s.ctx, keys.Link(s.ns, "alice", "chat")).Val())
	require.NoError(t, other.Close(), "does not close a manager that it was given")
	require.NoError(t, s.Manager().HealthCheck(context.Background()))
}

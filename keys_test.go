package statelink_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/redismanager"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	k := statelink.NewKeys(statelink.DefaultKeyPrefix)
	require.Equal(t, "sf:{default:lk:alice}chat", k.Link("default", "alice", "chat"))
	require.Equal(t, "sf:{default:lk:alice}", k.User("default", "alice"))
	require.Equal(t, "sf:{default:state:chat}", k.State("default", "chat"))
	require.Equal(t, "sf:{default:workload:chat}", k.Workload("default", "chat"))
	require.Equal(t, "sf:{default:scripts}", k.Scripts("default"))
}

// judge says which names the executor accepts. Nothing is sent: the context is
// canceled, and an accepted call fails for that reason only.
type judge struct {
	exec     *statelink.Executor
	canceled context.Context
}

func newJudge(tb testing.TB) judge {
	tb.Helper()
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	return judge{exec: backendNamed(tb, "embedded").executor(tb), canceled: canceled}
}

func (j judge) verdict(t tester, err error) (refusedField string) {
	t.Helper()
	var refusal *redismanager.FieldError
	if errors.As(err, &refusal) {
		return refusal.Field
	}
	require.ErrorIs(t, err, context.Canceled)
	return ""
}

// link gives the field that is refused, "" if all are accepted.
func (j judge) link(t tester, ns, uid, service string) string {
	t.Helper()
	_, err := j.exec.GetLinkedPod(j.canceled, ns, uid, service)
	return j.verdict(t, err)
}

func (j judge) user(t tester, ns, uid string) string {
	t.Helper()
	_, err := j.exec.GetLinkService(j.canceled, ns, uid)
	return j.verdict(t, err)
}

func (j judge) state(t tester, ns, service string) string {
	t.Helper()
	_, err := j.exec.GetServiceState(j.canceled, ns, service)
	return j.verdict(t, err)
}

func (j judge) workload(t tester, ns, service string) string {
	t.Helper()
	_, err := j.exec.GetWorkloadState(j.canceled, ns, service)
	return j.verdict(t, err)
}

func (j judge) scripts(t tester, ns string) string {
	t.Helper()
	_, err := j.exec.FleetScripts(j.canceled, ns)
	return j.verdict(t, err)
}

// accepts says whether the executor takes the names for a kind of key.
func (j judge) accepts(t tester, kind string, names ...string) bool {
	t.Helper()
	switch kind {
	case "link":
		return j.link(t, names[0], names[1], names[2]) == ""
	case "user":
		return j.user(t, names[0], names[1]) == ""
	case "state":
		return j.state(t, names[0], names[1]) == ""
	case "scripts":
		return j.scripts(t, names[0]) == ""
	default:
		return j.workload(t, names[0], names[1]) == ""
	}
}

type acceptance func(t tester, kind string, names ...string) bool

// readings lists every way in which a key can be read as that of accepted
// names. More than one would be two different things under one key.
func readings(t tester, accepts acceptance, key string) (list []string) {
	t.Helper()
	add := func(kind string, names ...string) {
		if accepts(t, kind, names...) {
			list = append(list, fmt.Sprintf("%s %q", kind, names))
		}
	}
	body, ok := strings.CutPrefix(key, "sf:{")
	if !ok {
		return nil
	}
	eachCut(body, ":lk:", func(ns, rest string) {
		eachCut(rest, "}", func(uid, service string) {
			if service == "" {
				add("user", ns, uid)
			} else {
				add("link", ns, uid, service)
			}
		})
	})
	tag, ok := strings.CutSuffix(body, "}")
	if !ok {
		return list
	}
	eachCut(tag, ":state:", func(ns, service string) { add("state", ns, service) })
	eachCut(tag, ":workload:", func(ns, service string) { add("workload", ns, service) })
	if ns, ok := strings.CutSuffix(tag, ":scripts"); ok {
		add("scripts", ns)
	}
	return list
}

// eachCut calls do for every place where sep stands in s, overlapping ones too.
func eachCut(s, sep string, do func(before, after string)) {
	for i := 0; i+len(sep) <= len(s); i++ {
		if s[i:i+len(sep)] == sep {
			do(s[:i], s[i+len(sep):])
		}
	}
}

// misleadingKey builds a key out of the very parts that could be misread.
func misleadingKey(random *rand.Rand) string {
	pick := func(parts ...string) string { return parts[random.IntN(len(parts))] }
	key := "sf:{" + pick("a", "lk", "state", "a.b", "", "sf:{a", "a:lk") + pick(":lk:", ":lk:", ":state:", ":workload:", ":scripts")
	for range 1 + random.IntN(5) {
		key += pick(":lk:", ":state:", ":workload:", "}", "{", ":", "a", "b", "lk", ".", "é", "\x00")
	}
	return key + pick("}", "}", "}a", "}}", "}lk", "}a}", "")
}

// TestKeyHasOneReading: no key is that of two different things.
func TestKeyHasOneReading(t *testing.T) {
	t.Parallel()
	j := newJudge(t)
	random := rand.New(rand.NewPCG(1, 2))
	keys, read := 300_000, 0
	if testing.Short() {
		keys = 30_000
	}
	for range keys {
		key := misleadingKey(random)
		found := readings(t, j.accepts, key)
		if len(found) > 1 {
			require.Fail(t, "two things under one key", "%q is %v", key, found)
		}
		read += len(found)
	}
	t.Logf("%d keys, %d of them of accepted names", keys, read)
	require.Greater(t, read, keys/10)
}

// TestKeyHasOneReadingCanFail: were names accepted that now are refused, keys
// with two readings would be found.
func TestKeyHasOneReadingCanFail(t *testing.T) {
	t.Parallel()
	for _, lax := range []struct {
		name    string
		accepts acceptance
	}{
		{"braces in a uid and in a service", func(_ tester, kind string, names ...string) bool {
			if kind == "scripts" {
				return validName(names[0])
			}
			return validName(names[0]) && names[1] != "" && names[len(names)-1] != ""
		}},
		{"a colon in a namespace", func(_ tester, kind string, names ...string) bool {
			if kind == "scripts" {
				return names[0] != ""
			}
			onlyName := kind == "user" || validName(names[len(names)-1])
			return names[0] != "" && onlyName && (len(names) == 2 && kind != "user" || validUID(names[1]))
		}},
	} {
		random := rand.New(rand.NewPCG(1, 2))
		found := false
		for range 10_000 {
			found = found || len(readings(t, lax.accepts, misleadingKey(random))) > 1
		}
		require.True(t, found, lax.name)
	}
}

// TestKeysAreReadBack: a key of accepted names reads as these names.
func TestKeysAreReadBack(t *testing.T) {
	t.Parallel()
	j := newJudge(t)
	rapid.Check(t, func(rt *rapid.T) {
		ns, uid, service := anyName.Draw(rt, "namespace"), nastyText.Draw(rt, "uid"), anyName.Draw(rt, "service")
		requireKeysReadBack(rt, j, ns, uid, service)
	})
}

// requireKeysReadBack checks all keys of some names: none is there if a name is
// refused, else each has exactly its own reading, and a uid has one slot.
func requireKeysReadBack(t tester, j judge, ns, uid, service string) {
	t.Helper()
	k := statelink.NewKeys("sf")
	refused := j.link(t, ns, uid, service)
	require.Equal(t, !validName(ns), refused == "namespace")
	require.Equal(t, validName(ns) && !validUID(uid), refused == "uid")
	require.Equal(t, validName(ns) && validUID(uid) && !validName(service), refused == "service")
	if refused != "" {
		return
	}
	require.Equal(t, []string{fmt.Sprintf("link %q", []string{ns, uid, service})}, readings(t, j.accepts, k.Link(ns, uid, service)))
	require.Equal(t, []string{fmt.Sprintf("user %q", []string{ns, uid})}, readings(t, j.accepts, k.User(ns, uid)))
	require.Equal(t, []string{fmt.Sprintf("state %q", []string{ns, service})}, readings(t, j.accepts, k.State(ns, service)))
	require.Equal(t, []string{fmt.Sprintf("workload %q", []string{ns, service})}, readings(t, j.accepts, k.Workload(ns, service)))
	require.Equal(t, redismanager.Slot(k.User(ns, uid)), redismanager.Slot(k.Link(ns, uid, service)))
	require.Equal(t, redismanager.Slot(k.User(ns, uid)), redismanager.Slot(k.Link(ns, uid, "other")))
}

// TestServerAgreesOnSlots asks a Cluster where the keys of a uid belong.
func TestServerAgreesOnSlots(t *testing.T) {
	t.Parallel()
	s := newStage(t, backendNamed(t, "cluster").executor(t))
	for _, uid := range nasty {
		if !validUID(uid) {
			continue
		}
		for _, key := range []string{s.keys.User(s.ns, uid), s.keys.Link(s.ns, uid, "chat"), s.keys.Link(s.ns, uid, "game")} {
			slot, err := s.raw().ClusterKeySlot(s.ctx, key).Result()
			require.NoError(t, err)
			require.EqualValues(t, redismanager.Slot(s.keys.User(s.ns, uid)), slot, "%q", key)
		}
	}
}

// FuzzKeys looks for a key that two different things share.
func FuzzKeys(f *testing.F) {
	for _, names := range [][3]string{
		{"default", "alice", "chat"}, {"a:lk", "b", "c"}, {"a", "x}y", "c"}, {"a", "b:state:c", "d"}, {"a.b-c_d", "ü:lk:}", "0"},
		{"a", strings.Repeat("x", 512), strings.Repeat("s", 253)}, {"", "", ""}, {"a", "\x00\r\n", "b"}, {"state", "workload", "lk"},
	} {
		f.Add(names[0], names[1], names[2])
	}
	j := newJudge(f)
	f.Fuzz(func(t *testing.T, ns, uid, service string) {
		requireKeysReadBack(t, j, ns, uid, service)
		require.LessOrEqual(t, len(readings(t, j.accepts, "sf:{"+ns+uid+service)), 1)
	})
}

// FuzzPodState: no text makes the parser fail in another way than with
// ErrMalformedData, and what it accepts is what it would write.
func FuzzPodState(f *testing.F) {
	for _, state := range append([]string{"7-1795525256999-1", "0-0-0", "9007199254740991-1-2"}, badStates...) {
		f.Add(state)
	}
	f.Fuzz(func(t *testing.T, stored string) {
		state, err := statelink.ParsePodState(4, stored)
		if err != nil {
			require.ErrorIs(t, err, statelink.ErrMalformedData)
			require.False(t, strings.ContainsFunc(err.Error(), unicode.IsControl))
			require.Less(t, len(err.Error()), 500)
			return
		}
		require.Equal(t, stored, state.String())
		require.Equal(t, 4, state.Pod)
		require.Regexp(t, `^(0|[1-9]\d{0,15})-(0|[1-9]\d{0,15})-[012]$`, stored)
	})
}

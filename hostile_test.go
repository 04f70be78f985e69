package statelink_test

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// The rules for names, written a second time and in another way than in the
// code that they judge.
var (
	namePattern  = regexp.MustCompile(`\A[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\z`)
	uidForbidden = regexp.MustCompile(`[{}\p{Cc}]`)
)

func validName(s string) bool { return len(s) <= 253 && namePattern.MatchString(s) }

func validUID(s string) bool {
	return 0 < len(s) && len(s) <= 512 && utf8.ValidString(s) && !uidForbidden.MatchString(s)
}

// nasty are parts of names that have broken parsers, protocols, shells, Lua
// sources and key formats, and harmless ones to put them together with.
var nasty = []string{
	"a", "b", "0", "7", "-1", "user", "sf", "lk", "state", "workload", "a.b", "a-b", "a_b",
	":", "::", ":lk:", ":state:", ":workload:", "{", "}", "{}", "}{", "a}b", "sf:{default:lk:alice}chat", "sf:{", "}chat",
	"\x00", "\n", "\r\n", "\t", "\x1b[2J", "\x7f", "\u0085", "\xff", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80",
	fragment, "*1\r\n$8\r\nFLUSHALL\r\n", "$-1\r\n", "+OK\r\n", "-ERR x\r\n", ":1\r\n", "$512\r\n",
	"'", `"`, "`", `\`, `\x00`, "]]", "--[[", "' .. redis.call('FLUSHALL') .. '", "KEYS[1]", "%s", "%n", "%00", "${HOME}", "$(id)", "; DROP TABLE", "<script>",
	" ", ".", "..", "../", "/", "-", "_", "*", "?", "[a-z]", "!", "@", "#", ",", "=", "&", "|",
	"ü", "u\u0308", "日本語", "🦀", "\u200b", "\u202e", "\u2028", "\ufeff", "\ufffd", "İ", "ß", "١",
	strings.Repeat("x", 253), strings.Repeat("x", 512), strings.Repeat("x", 64<<10),
}

// nastyText puts a few of the parts together; the empty text is among them.
var nastyText = rapid.Map(rapid.SliceOfN(rapid.SampledFrom(nasty), 0, 4), func(parts []string) string { return strings.Join(parts, "") })

// anyName is nasty, or made of what a name may have.
var anyName = rapid.OneOf(nastyText, rapid.StringMatching(`[a-z0-9._-]{1,4}`), rapid.SampledFrom([]string{"chat", "game", "default"}))

// TestHostileNames gives nasty names to every method, on a server of its own.
// Every refusal names a field that is bad indeed, whatever is accepted works,
// and in the end the server holds nothing but keys of accepted names.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	srv := redistest.StartServer(t)
	exec, err := statelink.Open(t.Context(), redismanager.RedisConfig{Addr: srv.Addr()})
	require.NoError(t, err)
	defer func() { require.NoError(t, exec.Close()) }()

	allowed := map[string]bool{} // keys that accepted names may have made
	accepted, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		p := validParams(anyName.Draw(rt, "namespace"))
		p.uid, p.service, p.workload = nastyText.Draw(rt, "uid"), anyName.Draw(rt, "service"), nastyText.Draw(rt, "workload")
		bad := badNamesOf(p)
		for _, m := range methods {
			err := m.call(rt.Context(), exec, p)
			if slices.ContainsFunc(m.fields, func(field string) bool { return bad[field] }) {
				requireBadField(rt, err, bad)
				refused++
				continue
			}
			accepted++
			if !errors.Is(err, statelink.ErrNoReadyPod) {
				require.NoError(rt, err, m.name)
			}
			maps.Copy(allowed, keysOf(p))
		}
	})
	t.Logf("%d calls accepted, %d refused, %d keys allowed", accepted, refused, len(allowed))
	require.Positive(t, accepted)
	require.Positive(t, refused)

	found := dump(t, exec, "*")
	require.NotEmpty(t, found)
	for key, entry := range found {
		require.True(t, allowed[key], "key %q", key)
		require.True(t, strings.HasPrefix(key, "sf:{"), "key %q", key)
		require.Contains(t, []string{"string", "hash"}, entry.kind, "key %q", key)
	}
}

// badNamesOf says which fields the rules refuse.
func badNamesOf(p params) map[string]bool {
	return map[string]bool{
		"namespace": !validName(p.ns), "service": !validName(p.service), "uid": !validUID(p.uid),
		"workload state": p.workload == "" || len(p.workload) > 1024 || !utf8.ValidString(p.workload) || regexp.MustCompile(`\p{Cc}`).MatchString(p.workload),
	}
}

func requireBadField(t tester, err error, bad map[string]bool) {
	t.Helper()
	var refusal *redismanager.FieldError
	require.ErrorAs(t, err, &refusal)
	require.True(t, bad[refusal.Field], "%v names a field that is good", err)
	requireRefusal(t, err, refusal.Field, "hostile")
}

// keysOf are the keys that a call with these names may touch.
func keysOf(p params) map[string]bool {
	k := statelink.NewKeys("sf")
	return map[string]bool{
		k.Link(p.ns, p.uid, p.service): true, k.User(p.ns, p.uid): true,
		k.State(p.ns, p.service): true, k.Workload(p.ns, p.service): true,
	}
}

// TestHostileUIDsAreKept: what is accepted comes back byte for byte, on every
// backend, and two uids are never one.
func TestHostileUIDsAreKept(t *testing.T) {
	t.Parallel()
	var uids []string
	for _, part := range nasty {
		for _, uid := range []string{part, "x" + part, part + ":lk:" + part} {
			if validUID(uid) && !slices.Contains(uids, uid) {
				uids = append(uids, uid)
			}
		}
	}
	require.Greater(t, len(uids), 100)
	onEveryBackend(t, func(t *testing.T, s *stage) {
		want := map[int][]string{}
		for pod, uid := range uids {
			previous, err := s.SetLinkedPod(s.ctx, s.ns, uid, "chat", pod, forever)
			require.NoError(t, err, "%q", uid)
			require.Equal(t, statelink.NoPod, previous, "%q shares a key", uid)
			want[pod] = []string{uid}
		}
		got, err := s.BatchGetLinkedPod(s.ctx, s.ns, uids, "chat")
		require.NoError(t, err)
		require.Equal(t, want, got)
		for pod, uid := range uids {
			services, err := s.GetLinkService(s.ctx, s.ns, uid)
			require.NoError(t, err)
			require.Equal(t, map[string]int{"chat": pod}, services, "%q", uid)
		}
		require.Len(t, s.stored(t), 2*len(uids))
	})
}

package scripts_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/scripts"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// tester is a *testing.T or a *rapid.T.
type tester interface {
	require.TestingT
	Helper()
}

// stage is one user and one service that no other test knows, on some server.
type stage struct {
	client redis.UniversalClient
	prefix string
	keys   map[string]string // name in the header of a script -> key
	begin  time.Time
}

func newStage(t *testing.T, client redis.UniversalClient) *stage {
	t.Helper()
	prefix := redistest.NewPrefix(t)
	return &stage{client: client, prefix: prefix, begin: time.Now(), keys: map[string]string{
		"link":  "sf:{" + prefix + ":lk:u1}chat",
		"user":  "sf:{" + prefix + ":lk:u1}",
		"state": "sf:{" + prefix + ":state:chat}",
	}}
}

// keysOf returns KEYS for a script.
func (s *stage) keysOf(script scripts.Script) (keys []string) {
	for _, name := range script.Keys {
		keys = append(keys, s.keys[name])
	}
	return keys
}

// words are the heartbeats that a test writes as a word.
func (s *stage) words() map[string]string {
	at := func(d time.Duration) string { return strconv.FormatInt(s.begin.Add(d).UnixMilli(), 10) }
	return map[string]string{"STALE": at(-time.Minute), "FRESH": at(-time.Second), "AHEAD": at(time.Minute)}
}

// spell puts times in the place of words.
func (s *stage) spell(text string) string {
	for word, ms := range s.words() {
		text = strings.ReplaceAll(text, word, ms)
	}
	return text
}

var unixMillis = regexp.MustCompile(`\b\d{13}\b`)

// read is the inverse of spell; a time since the stage began becomes NOW.
func (s *stage) read(text string) string {
	for word, ms := range s.words() {
		text = strings.ReplaceAll(text, ms, word)
	}
	return unixMillis.ReplaceAllStringFunc(text, func(digits string) string {
		ms, _ := strconv.ParseInt(digits, 10, 64)
		if s.begin.UnixMilli() <= ms && ms <= time.Now().UnixMilli() {
			return "NOW"
		}
		return digits
	})
}

// plant stores what the test starts from.
func (s *stage) plant(t *testing.T, d data) {
	t.Helper()
	ctx := context.Background()
	if d.link != "" {
		ttl := time.Duration(d.ttl) * time.Second
		require.NoError(t, s.client.Set(ctx, s.keys["link"], d.link, ttl).Err())
	}
	for service, pod := range d.index {
		require.NoError(t, s.client.HSet(ctx, s.keys["user"], service, pod).Err())
	}
	for pod, state := range d.states {
		require.NoError(t, s.client.HSet(ctx, s.keys["state"], pod, s.spell(state)).Err())
	}
}

// stored is one key as found.
type stored struct {
	kind, ttl string
	value     any
}

// expect turns data into what must be found.
func (s *stage) expect(d data) map[string]stored {
	want := map[string]stored{}
	if d.link != "" {
		ttl := "none"
		if d.ttl > 0 {
			ttl = fmt.Sprint(d.ttl, " s")
		}
		want[s.keys["link"]] = stored{"string", ttl, d.link}
	}
	if len(d.index) > 0 {
		want[s.keys["user"]] = stored{"hash", "none", d.index}
	}
	if len(d.states) > 0 {
		want[s.keys["state"]] = stored{"hash", "none", d.states}
	}
	return want
}

// find reads every key of the stage, also one that a script should not have made.
func (s *stage) find(t tester) map[string]stored {
	t.Helper()
	found := map[string]stored{}
	for _, key := range s.allKeys(t) {
		found[key] = s.findKey(t, key)
	}
	return found
}

func (s *stage) findKey(t tester, key string) stored {
	t.Helper()
	ctx := context.Background()
	got := stored{kind: s.client.Type(ctx, key).Val()}
	left, err := s.client.PTTL(ctx, key).Result()
	require.NoError(t, err)
	got.ttl = ttlClass(left)
	switch got.kind {
	case "string":
		got.value = s.read(s.client.Get(ctx, key).Val())
	case "hash":
		fields := hash{}
		for field, value := range s.client.HGetAll(ctx, key).Val() {
			fields[field] = s.read(value)
		}
		got.value = fields
	}
	return got
}

// ttlClass names the ttl that a key was given, when at most half a minute of it has passed.
func ttlClass(left time.Duration) string {
	if left == -1 {
		return "none"
	}
	for _, seconds := range []int{soon, later} {
		given := time.Duration(seconds) * time.Second
		if given-30*time.Second < left && left <= given {
			return fmt.Sprint(seconds, " s")
		}
	}
	return left.String()
}

// allKeys lists the keys of the stage on all nodes.
func (s *stage) allKeys(t tester) []string {
	t.Helper()
	var (
		mu   sync.Mutex
		keys []string
	)
	scan := func(ctx context.Context, node *redis.Client) error {
		it := node.Scan(ctx, 0, "*"+s.prefix+"*", 1000).Iterator()
		for it.Next(ctx) {
			mu.Lock()
			keys = append(keys, it.Val())
			mu.Unlock()
		}
		return it.Err()
	}
	switch client := s.client.(type) {
	case *redis.ClusterClient:
		require.NoError(t, client.ForEachMaster(context.Background(), scan))
	case *redis.Client:
		require.NoError(t, scan(context.Background(), client))
	default:
		require.Fail(t, "cannot scan", "with a %T", client)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// dump is the serialised value of every key: equal dumps are equal data.
func (s *stage) dump(t tester) map[string]string {
	t.Helper()
	dumps := map[string]string{}
	for _, key := range s.allKeys(t) {
		text, err := s.client.Dump(context.Background(), key).Result()
		require.NoError(t, err)
		dumps[key] = text
	}
	return dumps
}

// run sends the script by SHA1 and, where that is unknown, as text.
func (s *stage) run(script scripts.Script, args []any) (any, error) {
	return redis.NewScript(script.Source).Run(context.Background(), s.client, s.keysOf(script), args...).Result()
}

// requireReply compares a reply; the pairs of a hash come in no order.
func (s *stage) requireReply(t *testing.T, b behaviour, reply any) {
	t.Helper()
	items, ok := reply.([]any)
	require.True(t, ok, "reply is a %T", reply)
	got := []any{}
	for _, item := range items {
		if text, ok := item.(string); ok {
			item = s.read(text)
		}
		got = append(got, item)
	}
	switch b.script {
	case scripts.GetService:
		sortPairs(got[1:])
	case scripts.GetLinkService:
		sortPairs(got)
	}
	require.Equal(t, b.reply, got)
}

func sortPairs(flat []any) {
	var pairs [][]any
	for pair := range slices.Chunk(slices.Clone(flat), 2) {
		pairs = append(pairs, pair)
	}
	slices.SortFunc(pairs, func(a, b []any) int { return strings.Compare(a[0].(string), b[0].(string)) })
	copy(flat, slices.Concat(pairs...))
}

// get returns the script of a case, or fails.
func (b behaviour) get(t *testing.T) scripts.Script {
	t.Helper()
	script, ok := scripts.Get(b.script)
	require.True(t, ok, b.script)
	return script
}

// after is the data that a case must leave.
func (b behaviour) after() data {
	if b.want != nil {
		return *b.want
	}
	return b.given
}

// requireOutcome compares reply, error and everything that is stored.
func (b behaviour) requireOutcome(t *testing.T, s *stage, reply any, err error) {
	t.Helper()
	if b.fails != "" {
		require.ErrorContains(t, err, b.fails)
	} else {
		require.NoError(t, err)
		s.requireReply(t, b, reply)
	}
	require.Equal(t, s.expect(b.after()), s.find(t))
}

// eachCase runs the whole table.
func eachCase(t *testing.T, test func(t *testing.T, b behaviour)) {
	t.Helper()
	for _, b := range cases {
		t.Run(b.script+"/"+b.name, func(t *testing.T) { test(t, b) })
	}
}

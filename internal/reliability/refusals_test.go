package reliability

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// The load on a server that refuses.
const (
	refusedCallers  = 20
	refusedDeadline = 500 * time.Millisecond
	// triesPer is the time in which a call may be tried once.
	triesPer = 100 * time.Millisecond
)

// refusal is one way in which a server says no, for a while.
type refusal struct {
	name    string
	want    redismanager.Class
	also    []redismanager.Class // what a caller is told whose deadline came first
	cut     bool                 // it also cuts connections, so that some calls lose their replies
	section string
	counter string // where the server counts what it refused
	begin   func(ctx context.Context, c *redis.Client) error
	end     func(ctx context.Context, c *redis.Client) error
}

func do(args ...any) func(context.Context, *redis.Client) error {
	return func(ctx context.Context, c *redis.Client) error { return c.Do(ctx, args...).Err() }
}

// both does one after the other.
func both(first, then func(context.Context, *redis.Client) error) func(context.Context, *redis.Client) error {
	return func(ctx context.Context, c *redis.Client) error {
		if err := first(ctx, c); err != nil {
			return err
		}
		return then(ctx, c)
	}
}

// hold keeps the server busy until SCRIPT KILL; it does not wait for its end.
func hold(ctx context.Context, c *redis.Client) error {
	go func() { _ = c.Eval(ctx, "while true do end", []string{"k"}).Err() }()
	return nil
}

var refusals = []refusal{
	{
		name: "out of memory", want: redismanager.ClassOutOfMemory, section: "errorstats", counter: "errorstat_OOM",
		begin: do("config", "set", "maxmemory", 1), end: do("config", "set", "maxmemory", 0),
	},
	{
		name: "busy script", want: redismanager.ClassBusyScript, section: "errorstats", counter: "errorstat_BUSY",
		begin: hold, end: do("script", "kill"),
	},
	{
		name: "read only replica", want: redismanager.ClassReadOnly, section: "errorstats", counter: "errorstat_READONLY",
		begin: do("replicaof", "127.0.0.1", 1), end: do("replicaof", "no", "one"),
	},
	{
		name: "too many clients", want: redismanager.ClassUnavailable, cut: true,
		also:    []redismanager.Class{redismanager.ClassTimeout, redismanager.ClassPoolExhausted},
		section: "stats", counter: "rejected_connections",
		begin: both(do("config", "set", "maxclients", 1), do("client", "kill", "type", "normal")),
		end:   do("config", "set", "maxclients", 10000),
	},
	{
		name: "ACL refusal", want: redismanager.ClassAuth, section: "errorstats", counter: "errorstat_NOPERM",
		begin: do("acl", "setuser", "app", "-evalsha"), end: do("acl", "setuser", "app", "+evalsha"),
	},
	{
		name: "wrong password", want: redismanager.ClassAuth, cut: true, section: "stats", counter: "total_connections_received", // each is one try
		begin: both(do("acl", "setuser", "app", "<canary", ">other"), do("client", "kill", "user", "app")),
		end:   do("acl", "setuser", "app", ">canary"),
	},
}

// TestRefusals: each refusal has its class, is not answered with a storm of
// tries, and is over when it is over.
func TestRefusals(t *testing.T) {
	watchLeaks(t)
	for _, r := range refusals {
		t.Run(r.name, r.run)
	}
}

func (r refusal) run(t *testing.T) {
	srv := redistest.StartServer(t, redistest.WithACL("app on >canary ~* &* +@all"), redistest.WithConfig("busy-reply-threshold", "50"))
	e := open(t, redismanager.RedisConfig{Addr: srv.Addr(), Username: "app", Password: "canary", MinIdleConns: -1}, counting)
	admin, ctx := srv.Client(t), within(t, 30*time.Second)
	load := Load{
		Callers: refusedCallers, Timeout: refusedDeadline, Pause: 20 * time.Millisecond, Call: countWith(e, redistest.NewPrefix(t)),
	}.Start()
	requireTraffic(t, load, 200)
	before := refused(t, admin, r.section, r.counter)
	require.NoError(t, r.begin(ctx, admin))
	time.Sleep(pick(3*time.Second, time.Second)) // refused all this time
	require.NoError(t, r.end(ctx, admin))
	healed := time.Now()
	time.Sleep(pick(3*time.Second, time.Second))
	tally := load.StopAll()
	r.report(t, tally, healed, refused(t, admin, r.section, r.counter)-before)
}

func (r refusal) report(t *testing.T, tally Tally, healed time.Time, tries int) {
	t.Helper()
	f := newFigures(t, library)
	f.load(tally)
	told := r.told(tally)
	f.atLeast("refused calls", told, refusedCallers)
	f.exactly("failed calls of another class", tally.Failed()-told-r.lostReplies(tally), 0)
	f.took("last failure after the end", tally.After(healed))
	// Those who were waiting when it ended had tries too, and were answered.
	waiting := refusedCallers * int(refusedDeadline/triesPer+1)
	f.atMost("tries that the server refused", tries, tally.Failed()+int(tally.FailedTime/triesPer)+waiting)
	for class, err := range tally.Examples {
		assert.NotContains(t, err.Error(), "canary", "%s shows the password", class)
	}
}

// told are the calls that failed as they should.
func (r refusal) told(tally Tally) int {
	n := tally.Classes[string(r.want)]
	for _, class := range r.also {
		n += tally.Classes[string(class)]
	}
	return n
}

// lostReplies are the calls that were on a connection when it was cut.
func (r refusal) lostReplies(tally Tally) int {
	if !r.cut {
		return 0
	}
	return min(tally.Unknown, refusedCallers)
}

// refused reads a counter of INFO, which is absent as long as it is 0.
func refused(t *testing.T, admin *redis.Client, section, counter string) (n int) {
	t.Helper()
	text, err := admin.Info(within(t, 5*time.Second), section).Result()
	require.NoError(t, err)
	_, rest, found := strings.Cut(text, counter+":")
	if !found {
		return 0
	}
	_, err = fmt.Sscanf(strings.TrimPrefix(rest, "count="), "%d", &n)
	require.NoError(t, err)
	return n
}

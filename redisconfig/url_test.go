package redisconfig

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/redismanager"
)

const firstOption = "option 1 of url: "

func TestParseURL(t *testing.T) {
	t.Parallel()
	type config = redismanager.RedisConfig
	tls := redismanager.TLSConfig{Enabled: true}
	for text, want := range map[string]config{
		"redis://h":                      {Mode: "standalone", Addr: "h:6379"},
		"REDIS://h/":                     {Mode: "standalone", Addr: "h:6379"},
		"redis://h?":                     {Mode: "standalone", Addr: "h:6379"},
		"redis://10.0.0.1:1/15":          {Mode: "standalone", Addr: "10.0.0.1:1", DB: 15},
		"redis://my_redis.a-b.svc:65535": {Mode: "standalone", Addr: "my_redis.a-b.svc:65535"},
		"rediss://h":                     {Mode: "standalone", Addr: "h:6379", TLS: tls},
		"redis://app:pw@h":               {Mode: "standalone", Addr: "h:6379", Username: "app", Password: "pw"},
		"redis://:pw@h":                  {Mode: "standalone", Addr: "h:6379", Password: "pw"},
		"redis://:@h":                    {Mode: "standalone", Addr: "h:6379"},
		"redis://@h":                     {Mode: "standalone", Addr: "h:6379"},
		"redis://:a+b:c@d@h":             {Mode: "standalone", Addr: "h:6379", Password: "a+b:c@d"},
		"redis://a%3Ab:%2F%3F%23%40%25%20+@h": {
			Mode: "standalone", Addr: "h:6379", Username: "a:b", Password: "/?#@% +",
		},
		"redis://[::1]":                 {Mode: "standalone", Addr: "[::1]:6379"},
		"redis://[2001:DB8::7]:1/2":     {Mode: "standalone", Addr: "[2001:db8::7]:1", DB: 2},
		"redis://[fe80::1%25eth0]:1":    {Mode: "standalone", Addr: "[fe80::1%eth0]:1"},
		"redis://u:p@h?client_name=a@b": {Mode: "standalone", Addr: "h:6379", Username: "u", Password: "p", ClientName: "a@b"},
		"redis://h?pool_size=20&read_timeout=500ms&max_retries=0&conn_max_idle_time=-1&client_name=a%2Fb": {
			Mode: "standalone", Addr: "h:6379", PoolSize: 20, ReadTimeout: 500 * time.Millisecond, MaxRetries: -1,
			ConnMaxIdleTime: -1, ClientName: "a/b",
		},
		"rediss://h?tls.ca_file=/ca.pem&tls_server_name=x": {
			Mode: "standalone", Addr: "h:6379", TLS: redismanager.TLSConfig{Enabled: true, CAFile: "/ca.pem", ServerName: "x"},
		},
		"redis+sentinel://app:pw@h1,h2:1,[::1]/mymaster/3?sentinel_username=s&sentinel_password=a+b%26": {
			Mode: "sentinel", Addrs: []string{"h1:26379", "h2:1", "[::1]:26379"}, MasterName: "mymaster", DB: 3,
			Username: "app", Password: "pw", SentinelUsername: "s", SentinelPassword: "a+b&",
		},
		"rediss+sentinel://h/my%2Fmaster": {Mode: "sentinel", Addrs: []string{"h:26379"}, MasterName: "my/master", TLS: tls},
		"redis+sentinel://h/m/":           {Mode: "sentinel", Addrs: []string{"h:26379"}, MasterName: "m"},
		"redis+cluster://h":               {Mode: "cluster", Addrs: []string{"h:6379"}},
		"redis+cluster://h/0":             {Mode: "cluster", Addrs: []string{"h:6379"}},
		"rediss+cluster://app:pw@a,b:2":   {Mode: "cluster", Addrs: []string{"a:6379", "b:2"}, Username: "app", Password: "pw", TLS: tls},
	} {
		got, err := ParseURL(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

func TestRefusedURLs(t *testing.T) {
	t.Parallel()
	const (
		badScheme = "url: unknown scheme, " + wantScheme
		badPort   = "url: the host has a port that is no number from 1 to 65535"
		badChar   = "url: the host has a character that no host name has"
		atBehind  = "url: an @ behind the host: in user and password write / as %2F and ? as %3F, in options @ as %40"
		noDB      = "url: what is behind the last / of the path is no number of a database"
		noMaster  = "url: no name of the master behind the hosts, want for example redis+sentinel://h1,h2/mymaster"
		noValue   = "no value, or a % that is not of a percent-encoding such as %25"
	)
	for text, want := range map[string]string{
		"":                                  badScheme,
		"h:6379":                            badScheme,
		"app:" + canary + "@h:6379":         badScheme,
		"redis:/app:" + canary + "@h":       badScheme,
		"http://app:" + canary + "@h":       badScheme,
		"redis-sentinel://" + canary + "@h": badScheme,
		canary + "://h":                     badScheme,
		" redis://h":                        badScheme,
		"unix:///tmp/redis.sock":            badScheme,

		"redis://":                                 "url: the host is empty",
		"redis:///1":                               "url: the host is empty",
		"redis://:6379":                            "url: the host is empty",
		"redis://app:" + canary + "@":              "url: the host is empty",
		"redis://app:" + canary:                    badPort, // the @host is forgotten
		"redis://h:0":                              badPort,
		"redis://h:65536":                          badPort,
		"redis://h:+1":                             badPort,
		"redis://h: 1":                             badPort,
		"redis://h:1\n":                            badPort,
		"redis://h:":                               "url: the host has no port behind its colon",
		"redis://h h":                              badChar,
		"redis://bücher":                           badChar,
		"redis://%68":                              badChar,
		"redis://::1":                              "url: the host has several colons; an IPv6 address belongs into [ ]",
		"redis://[::1":                             "url: the host is no IPv6 address in [ ]",
		"redis://[10.0.0.1]":                       "url: the host is no IPv6 address in [ ]",
		"redis://[%zz]":                            "url: the host is no IPv6 address in [ ]",
		"redis://[::1]6379":                        "url: the host has something else than a port behind the ]",
		"redis://[::1]:":                           "url: the host has something else than a port behind the ]",
		"redis://h1,h2":                            "url: several hosts, which only redis+sentinel:// and redis+cluster:// have",
		"redis+cluster://h1,,h2":                   "url: host 2 of 3 is empty",
		"redis://a:" + canary + "#x@h":             "url: a # must be written as %23",
		"redis://a:" + canary + "/x@h":             atBehind,
		"redis://a:" + canary + "?x@h":             atBehind,
		"redis://h?client_name=a@b":                atBehind,
		"redis://a:" + canary + "%zz@h":            "url: the password has a % that is not of a percent-encoding such as %25",
		"redis://%z" + canary + ":x@h":             "url: the username has a % that is not of a percent-encoding such as %25",
		"redis://app@h":                            "password of url: got nothing, want a password for the username",
		"redis://h/" + canary:                      noDB,
		"redis://h/1/2":                            noDB,
		"redis://h/-1":                             noDB,
		"redis://h/1/":                             noDB,
		"redis://h/1000001":                        "db of url: got 1000001, want 0 to 1000000",
		"redis+cluster://h/1":                      "db of url: got 1, want 0 in mode cluster",
		"redis+sentinel://h":                       noMaster,
		"redis+sentinel://h/":                      noMaster,
		"redis+sentinel://h//1":                    noMaster,
		"redis+sentinel://h/%zz":                   noMaster,
		"redis+sentinel://h/m/" + canary:           noDB,
		"redis://h?" + canary:                      firstOption + "unknown option; options are the keys of a file, such as pool_size",
		"redis://h?" + canary + "=1":               firstOption + "unknown option; options are the keys of a file, such as pool_size",
		"redis://h?%zz=1":                          firstOption + "unknown option; options are the keys of a file, such as pool_size",
		"redis://h?poolsize=1":                     firstOption + "unknown option, did you mean pool_size?",
		"redis://h?pool_size=1&":                   "option 2 of url: unknown option; options are the keys of a file, such as pool_size",
		"redis://h?pool_size":                      "option pool_size of url: " + noValue,
		"redis://h?pool_size=":                     "option pool_size of url: " + noValue,
		"redis://h?client_name=" + canary + "%":    "option client_name of url: " + noValue,
		"redis://h?pool_size=1&pool_size=1":        "option pool_size of url: given twice",
		"rediss://h?tls.ca_file=a&tls_ca_file=b":   "option tls.ca_file of url: given twice",
		"redis://h?pool_size=" + canary:            "option pool_size of url: got a text, want a whole number such as 10",
		"redis://h?pool_size=0":                    "option pool_size of url: got 0, want it left out for the default (10) or another value",
		"redis://h?pool_size=10001":                "option pool_size of url: got 10001, want 1 to 10000",
		"redis://h?read_timeout=3":                 "option read_timeout of url: got a text, " + wantDuration,
		"redis://h?read_timeout=1h":                "option read_timeout of url: got 1h0m0s, want 1ms to 5m0s",
		"redis://h?client_name=a%20" + canary:      "option client_name of url: got a text, want a name without spaces",
		"redis://h?mode=cluster":                   "option mode of url: not an option: the scheme says it",
		"redis://h?tls_enabled=true":               "option tls.enabled of url: not an option: the scheme says it: rediss",
		"redis://h?addr=h:1":                       "option addr of url: not an option: the host says it",
		"redis://h?addrs=h:1":                      "option addrs of url: not an option: the hosts say it",
		"redis://h?db=1":                           "option db of url: not an option: the path says it",
		"redis://h?master_name=m":                  "option master_name of url: not an option: the path says it",
		"redis://h?url=redis://h":                  "option url of url: not an option: a URL in a URL",
		"redis://h?username=" + canary:             "option username of url: not an option: it belongs before the @",
		"redis://h?password=" + canary:             "option password of url: not an option: it belongs before the @",
		"redis://h?password_file=/x":               "option password_file of url: not an option: a URL reads no files of secrets; set it beside the URL",
		"redis://h?sentinel_password_file=/x":      "option sentinel_password_file of url: not an option: a URL reads no files of secrets; set it beside the URL",
		"redis://h?sentinel_password=" + canary:    "option sentinel_password of url: got a text, want nothing in mode standalone (it belongs to mode sentinel)",
		"redis://h?tls_ca_file=" + canary:          "option tls.ca_file of url: got a text, want tls.enabled: true with it (tls.enabled of url is false; rediss in its scheme turns TLS on)",
		"redis+sentinel://h/m?sentinel_username=s": "sentinel_password of url: got nothing, want a password for the sentinel_username",
	} {
		config, err := ParseURL(text)
		require.Equal(t, redismanager.RedisConfig{}, config, text)
		require.Error(t, err, text)
		requireProblems(t, err, "", want)
	}
}

func TestRefusedURLShowsAllProblems(t *testing.T) {
	t.Parallel()
	_, err := ParseURL("redis+cluster://a:x,b,:1/" + canary + "?pool_size=ten&pool_sice=3&mode=x")
	requireProblems(t, err, "",
		"url: host 1 of 3 has a port that is no number from 1 to 65535",
		"url: host 3 of 3 is empty",
		"url: what is behind the last / of the path is no number of a database",
		"option pool_size of url: got a text, want a whole number such as 10",
		"option 2 of url: unknown option, did you mean pool_size?",
		"option mode of url: not an option: the scheme says it")
}

// FuzzParseURL: no panic, no secret in an error, and what is accepted is valid.
func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{
		"redis://app:pw@h:1/2?pool_size=3", "rediss://[::1]:1", "redis+sentinel://a,b:1/m/2?sentinel_password=x",
		"redis+cluster://a,b", "redis://a%zz@h", "redis://h?read_timeout=1s&a=b", "://", "redis://@:@/?&=%",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		config, err := ParseURL(text)
		if err != nil {
			require.ErrorIs(t, err, redismanager.ErrInvalidArgument)
			require.Equal(t, redismanager.RedisConfig{}, config)
			return
		}
		require.NoError(t, config.Validate())
	})
}

// FuzzURLNeverShowsThePassword puts a password, encoded or not, among anything.
func FuzzURLNeverShowsThePassword(f *testing.F) {
	f.Add("redis://app:", "@h:1/2?pool_size=3")
	f.Add("redis://app:x/", "@h")
	f.Add("redis://app:x?pool_size=", "@h")
	f.Add("redis+sentinel://h/m?sentinel_password=x&", "&x=1")
	f.Add("redis://h?tls_ca_file=", "")
	f.Add("", "://h")
	f.Fuzz(func(t *testing.T, before, after string) {
		_, err := ParseURL(before + canary + after)
		requireNoCanary(t, err)
		_, err = LoadRedisConfig(withVariables("STATELINK_REDIS_URL=" + before + canary + after))
		requireNoCanary(t, err)
	})
}

// Any user and password arrive as they were, when encoded.
func FuzzCredentialsRoundTrip(f *testing.F) {
	f.Add("app", "p@ss:w/o?r#d%+ &")
	f.Fuzz(func(t *testing.T, user, password string) {
		if password == "" {
			return
		}
		encode := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
		config, err := ParseURL("redis://" + encode(user) + ":" + encode(password) + "@h")
		require.NoError(t, err)
		require.Equal(t, user, config.Username)
		require.Equal(t, password, config.Password)
	})
}

package redisconfig

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/statelink/statelink/redismanager"
)

// ParseURL reads the one URL form that Statelink knows. What the URL does not
// say stays zero, which means its default.
//
//	redis://localhost                                      standalone, port 6379
//	redis://app:s3cret@10.0.0.7:6380/2?pool_size=20        user, password, database, option
//	redis://:s3cret@[2001:db8::7]/0?read_timeout=500ms     password of the default user, IPv6
//	rediss://host?tls.ca_file=/etc/redis/ca.pem            TLS
//	redis+sentinel://app:s3cret@h1,h2:26380/mymaster/1     sentinels, port 26379; master, database
//	redis+sentinel://h1/mymaster?sentinel_password=other   credentials of the sentinels
//	redis+cluster://app:s3cret@h1:6379,h2                  some nodes of a Cluster, port 6379
//
// rediss+sentinel and rediss+cluster add TLS in the same way.
//
// User and password before the @ are always those of the data nodes, never of
// the sentinels. In them, % / ? and # must be percent-encoded; nothing else
// needs to be, and a + is a plus.
//
// The options are the keys of [Keys] without "redis.", each at most once; a
// dot may be written as an underscore. Refused are those that another part of
// the URL says (mode, addr, addrs, username, password, db, master_name,
// tls.enabled) and the password files. The options sentinel_username and
// sentinel_password exist with the sentinel schemes only.
//
// The error is one or several joined [*SettingError]. Of the URL it holds no
// more than a number or duration that is out of range: where passwords end in a
// malformed URL is anybody's guess.
func ParseURL(rawURL string) (redismanager.RedisConfig, error) {
	found := &problems{}
	u := &urlParser{problems: found, at: place{key: "url"}, out: layer{}}
	u.parse(rawURL)
	config, err := u.out.decode()
	if err != nil {
		return redismanager.RedisConfig{}, err
	}
	if !found.broken["url"] {
		found.validate(config, u.out, func(name string) string { return u.at.within(name).key })
	}
	if err := found.err(); err != nil {
		return redismanager.RedisConfig{}, err
	}
	return config, nil
}

// urlParser turns a URL into settings.
type urlParser struct {
	*problems
	at       place    // of the URL
	out      layer    // what it says
	replaced []string // keys of weaker sources that it replaces
}

type urlScheme struct {
	mode redismanager.Mode
	tls  bool
	port string // when a host has none
}

var urlSchemes = map[string]urlScheme{
	"redis":           {redismanager.ModeStandalone, false, "6379"},
	"rediss":          {redismanager.ModeStandalone, true, "6379"},
	"redis+sentinel":  {redismanager.ModeSentinel, false, "26379"},
	"rediss+sentinel": {redismanager.ModeSentinel, true, "26379"},
	"redis+cluster":   {redismanager.ModeCluster, false, "6379"},
	"rediss+cluster":  {redismanager.ModeCluster, true, "6379"},
}

const wantScheme = "want redis://, redis+sentinel:// or redis+cluster://, or rediss for TLS in each"

func (u *urlParser) parse(text string) {
	name, rest, _ := strings.Cut(text, "://")
	scheme, ok := urlSchemes[strings.ToLower(name)]
	if !ok {
		u.fail("unknown scheme, " + wantScheme)
		return
	}
	if strings.Contains(rest, "#") {
		u.fail("a # must be written as %23")
		return
	}
	authority, path, query := cutURL(rest)
	userinfo, hosts, hasUser := cutLast(authority, "@")
	if !hasUser && strings.Contains(path+query, "@") {
		u.fail("an @ behind the host: in user and password write / as %2F and ? as %3F, in options @ as %40")
		return
	}
	u.set("mode", string(scheme.mode))
	u.set("tls.enabled", scheme.tls)
	u.replaced = []string{"addr", "addrs", "master_name"}
	u.credentials(userinfo)
	u.hosts(hosts, scheme)
	u.path(path, scheme.mode)
	u.options(query)
}

// fail refuses the URL as a whole, so that nothing is concluded from the rest.
func (u *urlParser) fail(problem string) {
	u.breaks("url")
	u.refuse(u.at, "%s", problem)
}

// set takes what the URL says; an empty text says nothing.
func (u *urlParser) set(name string, value any) {
	if !isUnset(value) {
		u.out[name] = setting{value: value, at: u.at.within(name), inURL: true}
	}
}

// credentials takes "user:password". A password brings its user with it: the
// user of a weaker source would be another one's.
func (u *urlParser) credentials(userinfo string) {
	user, password, hasPassword := strings.Cut(userinfo, ":")
	if hasPassword {
		u.replaced = append(u.replaced, "username")
	}
	for _, part := range []struct{ name, text string }{{"username", user}, {"password", password}} {
		plain, err := url.PathUnescape(part.text)
		if err != nil {
			u.fail(fmt.Sprintf("the %s has a %% that is not of a percent-encoding such as %%25", part.name))
			continue
		}
		u.set(part.name, plain)
	}
}

// path takes /db, and of the sentinel schemes /master/db.
func (u *urlParser) path(path string, mode redismanager.Mode) {
	db := strings.TrimPrefix(path, "/")
	if mode == redismanager.ModeSentinel {
		var master string
		master, db, _ = strings.Cut(db, "/")
		plain, err := url.PathUnescape(master)
		if err != nil || plain == "" {
			u.fail("no name of the master behind the hosts, want for example redis+sentinel://h1,h2/mymaster")
			return
		}
		u.set("master_name", plain)
	}
	if db == "" {
		return
	}
	n, err := strconv.ParseUint(db, 10, 31)
	if err != nil {
		u.fail("what is behind the last / of the path is no number of a database")
		return
	}
	u.set("db", int(n))
}

// cutURL splits what is behind the scheme: host:port, /path, a=1&b=2.
func cutURL(rest string) (authority, path, query string) {
	rest, query, _ = strings.Cut(rest, "?")
	if slash := strings.Index(rest, "/"); slash >= 0 {
		return rest[:slash], rest[slash:], query
	}
	return rest, "", query
}

// cutLast splits at the last separator; without one, all is after it.
func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return "", s, false
}

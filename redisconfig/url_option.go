package redisconfig

import (
	"fmt"
	"net/url"
	"strings"
)

// notOptions are the keys that a URL does not take as options, and why.
var notOptions = map[string]string{
	"url":                    "a URL in a URL",
	"mode":                   "the scheme says it",
	"tls.enabled":            "the scheme says it: rediss",
	"addr":                   "the host says it",
	"addrs":                  "the hosts say it",
	"username":               "it belongs before the @",
	"password":               "it belongs before the @",
	"password_file":          "a URL reads no files of secrets; set it beside the URL",
	"sentinel_password_file": "a URL reads no files of secrets; set it beside the URL",
	"db":                     "the path says it",
	"master_name":            "the path says it",
}

// optionKeys finds keys by both spellings: tls.ca_file and tls_ca_file.
var optionKeys = func() map[string]key {
	found := map[string]key{}
	for _, k := range keyTable {
		found[k.name] = k
		found[strings.ReplaceAll(k.name, ".", "_")] = k
	}
	return found
}()

// options takes a=1&b=2. The splitting is our own: the standard library's
// would make a space of the + in a password.
func (u *urlParser) options(query string) {
	if query == "" {
		return
	}
	seen := map[string]bool{}
	for i, pair := range strings.Split(query, "&") {
		text, value, _ := strings.Cut(pair, "=")
		name, err := url.PathUnescape(text)
		k, known := optionKeys[name]
		if err != nil || !known {
			u.refuseOption(i, name)
			continue
		}
		at := u.at.within("option " + k.name)
		if seen[k.name] {
			u.breaks(k.name)
			u.refuse(at, "given twice")
			continue
		}
		seen[k.name] = true
		u.option(k, value, at)
	}
}

func (u *urlParser) option(k key, text string, at place) {
	if why, refused := notOptions[k.name]; refused {
		u.refuse(at, "not an option: %s", why)
		return
	}
	value, err := url.PathUnescape(text)
	if err != nil || value == "" {
		u.breaks(k.name)
		u.refuse(at, "no value, or a %% that is not of a percent-encoding such as %%25")
		return
	}
	k.secret = true // print nothing of it
	u.readInto(u.out, k, value, true, at)
	if s, ok := u.out[k.name]; ok {
		s.inURL = true
		u.out[k.name] = s
	}
}

// refuseOption names an unknown option by its number: it may be the part of a
// password behind an & that is not encoded.
func (u *urlParser) refuseOption(i int, name string) {
	at := u.at.within(fmt.Sprintf("option %d", i+1))
	near := suggest(name)
	if _, refused := notOptions[near]; near == "" || refused {
		u.refuse(at, "unknown option; options are the keys of a file, such as pool_size")
		return
	}
	u.breaks(near)
	u.refuse(at, "unknown option, did you mean %s?", near)
}

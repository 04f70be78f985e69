package redisconfig

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/statelink/statelink/redismanager"
)

// hosts takes one host:port of a standalone server, or a list of them.
func (u *urlParser) hosts(text string, scheme urlScheme) {
	list := strings.Split(text, ",")
	if scheme.mode == redismanager.ModeStandalone && len(list) > 1 {
		u.fail("several hosts, which only redis+sentinel:// and redis+cluster:// have")
		return
	}
	addrs := make([]string, 0, len(list))
	for i, host := range list {
		addr, problem := parseHost(host, scheme.port)
		if problem != "" {
			u.fail(hostLabel(i, len(list)) + problem)
			continue
		}
		addrs = append(addrs, addr)
	}
	if scheme.mode != redismanager.ModeStandalone {
		u.set("addrs", addrs)
	} else if len(addrs) == 1 {
		u.set("addr", addrs[0])
	}
}

func hostLabel(i, n int) string {
	if n == 1 {
		return "the host "
	}
	return fmt.Sprintf("host %d of %d ", i+1, n)
}

// parseHost gives host:port, or what is wrong without a word of the text.
func parseHost(text, defaultPort string) (addr, problem string) {
	host, port, problem := cutPort(text)
	if problem != "" {
		return "", problem
	}
	if port == "" {
		port = defaultPort
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "has a port that is no number from 1 to 65535"
	}
	return net.JoinHostPort(host, port), ""
}

// cutPort splits host, host:port, [IPv6] and [IPv6]:port.
func cutPort(text string) (host, port, problem string) {
	if strings.HasPrefix(text, "[") {
		return cutIPv6(text)
	}
	host, port, hasPort := strings.Cut(text, ":")
	switch {
	case strings.Contains(port, ":"):
		return "", "", "has several colons; an IPv6 address belongs into [ ]"
	case hasPort && port == "":
		return "", "", "has no port behind its colon"
	case host == "":
		return "", "", "is empty"
	case strings.ContainsFunc(host, notInHost):
		return "", "", "has a character that no host name has"
	}
	return host, port, ""
}

func cutIPv6(text string) (host, port, problem string) {
	inner, rest, closed := strings.Cut(text[1:], "]")
	plain, err := url.PathUnescape(inner) // a zone: fe80::1%25eth0
	if err != nil {
		plain = ""
	}
	ip, err := netip.ParseAddr(plain)
	if err != nil || !ip.Is6() || !closed {
		return "", "", "is no IPv6 address in [ ]"
	}
	port, hasPort := strings.CutPrefix(rest, ":")
	if rest != "" && (!hasPort || port == "") {
		return "", "", "has something else than a port behind the ]"
	}
	return ip.String(), port, ""
}

func notInHost(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	return !letter && (r < '0' || r > '9') && !strings.ContainsRune(".-_", r)
}

package cli

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// eviction: a link that Redis throws away to make room is a lost link.
func eviction(n nodeFacts) finding {
	const name = "eviction"
	policy := n.info["maxmemory_policy"]
	if n.infoErr != nil {
		return notSeen(name, "INFO", n.infoErr)
	}
	detail := "maxmemory-policy " + policy
	if n.info["maxmemory"] == "0" {
		detail += ", no maxmemory set"
	}
	switch {
	case policy == "noeviction":
		return fine(name, "%s", detail)
	case strings.HasPrefix(policy, "allkeys-"):
		return failure(name, detail+": links are thrown away when memory is short",
			"Set maxmemory-policy noeviction, and give the cache that needs eviction a Redis of its own.")
	case strings.HasPrefix(policy, "volatile-"):
		return warning(name, detail+": temporary links may go early", "Set maxmemory-policy noeviction.")
	default:
		return warning(name, "the server does not tell its maxmemory-policy", "Make sure that it is noeviction.")
	}
}

func persistence(n nodeFacts) finding {
	const name = "persistence"
	if n.infoErr != nil {
		return notSeen(name, "INFO", n.infoErr)
	}
	if n.info["aof_enabled"] == "1" {
		return fine(name, "append-only file")
	}
	if n.settingsErr != nil {
		return notSeen(name, "CONFIG GET", n.settingsErr)
	}
	if save := n.settings["save"]; save != "" {
		return fine(name, "snapshots only (save %s): a crash loses what is newer than the last", save)
	}
	return warning(name, "neither append-only file nor snapshots: a restart loses every link", "Set appendonly yes.")
}

// replicas also notes what a master that is cut off from them does, which is a
// choice and no mistake.
func replicas(n nodeFacts) finding {
	const name = "replicas"
	if n.infoErr != nil {
		return notSeen(name, "INFO", n.infoErr)
	}
	online := onlineReplicas(n.info)
	if online == 0 {
		return warning(name, "none connected: if the master is lost, so are the links",
			"Add a replica, and Sentinel or Cluster to promote it.")
	}
	detail := fmt.Sprintf("%d connected per master", online)
	switch least := n.settings["min-replicas-to-write"]; least {
	case "":
	case "0":
		detail += "; min-replicas-to-write is 0: a master that is cut off goes on accepting links, which then get lost"
	default:
		detail += "; min-replicas-to-write is " + least
	}
	return fine(name, "%s", detail)
}

func onlineReplicas(info map[string]string) int {
	online := 0
	for field, value := range info {
		if strings.HasPrefix(field, "slave") && strings.Contains(value, "state=online") {
			online++
		}
	}
	return online
}

// exposed reports whether any address that is used can be reached from another
// machine.
func (f *facts) exposed() bool {
	addrs := seeds(f.cfg)
	for _, n := range f.nodes {
		addrs = append(slices.Clone(addrs), n.addr)
	}
	return slices.ContainsFunc(addrs, isElsewhere)
}

// isElsewhere reports an address that is not of this machine only. The master
// behind sentinels has no address here; theirs are judged.
func isElsewhere(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || host == "localhost" {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err != nil || !ip.Unmap().IsLoopback()
}

func (f *facts) access() finding {
	const name = "access"
	const remedy = "Give the default user a password (requirepass) or switch it off (ACL SETUSER default off)."
	switch {
	case !f.exposed():
		return fine(name, "this machine only")
	case f.cfg.Password == "":
		return warning(name, "no password is needed: who reaches the server can read and change links", remedy)
	}
	return f.worst(func(n nodeFacts) finding {
		switch {
		case n.defaultOpenErr != nil:
			return notSeen(name, "ACL GETUSER", n.defaultOpenErr)
		case n.defaultOpen:
			return warning(name, "the default user needs no password: who reaches the server can read and change links", remedy)
		default:
			return fine(name, "a password is needed")
		}
	})
}

func (f *facts) encryption() finding {
	const name = "encryption"
	switch {
	case f.cfg.TLS.Enabled:
		return fine(name, "TLS")
	case !f.exposed():
		return fine(name, "none, and none needed on this machine")
	default:
		return warning(name, "no TLS: passwords and links can be read on the way", "Use rediss:// or tls.enabled, unless the network is yours alone.")
	}
}

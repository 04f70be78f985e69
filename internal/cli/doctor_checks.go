package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// slowMedian is the round trip above which every placement of a user, which
// takes three, is felt.
const slowMedian = 10 * time.Millisecond

// findings asks every question, in the order in which a person would.
func (f *facts) findings(slow time.Duration) []finding {
	list := []finding{
		fine("connection", "%s, as %s", strings.Join(seeds(f.cfg), ", "), f.user()),
		f.topology(),
	}
	if len(f.sentinels.addrs) > 0 {
		list = append(list, f.sentinels.finding())
	}
	list = append(list, f.scriptsRun())
	if len(f.nodes) == 0 {
		return list
	}
	return append(list,
		f.worst(version),
		f.scriptsPresent(),
		f.worst(func(n nodeFacts) finding { return latency(n, slow) }),
		f.worst(memory),
		f.worst(eviction),
		f.worst(persistence),
		f.worst(replicas),
		f.durability(),
		f.access(),
		f.encryption(),
	)
}

func (f *facts) user() string {
	switch {
	case f.cfg.Username != "":
		return "user " + f.cfg.Username
	case f.cfg.Password != "":
		return "the default user"
	default:
		return "the default user, without a password"
	}
}

func (f *facts) topology() finding {
	if f.nodeErr != nil {
		return failure("topology", oneLine(f.nodeErr), "Start the nodes named, or look at their logs; in a Cluster, 'redis-cli --cluster check' tells more.")
	}
	detail := fmt.Sprintf("%s, %s", f.cfg.Mode, count(len(f.nodes), "master"))
	online, known := 0, true
	for _, n := range f.nodes {
		online += onlineReplicas(n.info)
		known = known && n.infoErr == nil
	}
	if known {
		detail += fmt.Sprintf(", %s connected", count(online, "replica"))
	}
	return fine("topology", "%s", detail)
}

func (f *facts) scriptsRun() finding {
	const name = "scripts run"
	if f.healthErr == nil {
		return fine(name, "on every master")
	}
	if _, remedy := byCause(f.healthErr); remedy != "" {
		return failure(name, oneLine(f.healthErr), remedy)
	}
	return failure(name, oneLine(f.healthErr), "Look at the nodes named and their logs.")
}

func (f *facts) scriptsPresent() finding {
	const name = "scripts present"
	if f.scriptsErr != nil {
		return notSeen(name, "SCRIPT EXISTS", f.scriptsErr)
	}
	missing := f.scripts.missing()
	if missing == 0 {
		return fine(name, "%d on every master", len(f.scripts.Scripts))
	}
	return warning(name, fmt.Sprintf("%d of %d missing on some master", missing, len(f.scripts.Scripts)),
		"Nothing to do if the services may run EVAL: the first use loads each. 'statelink script verify' lists them.")
}

// worst puts one question to every master. If all are well the first one's
// answer is given, else those of the masters that are worst.
func (f *facts) worst(ask func(nodeFacts) finding) finding {
	var result finding
	var details []string
	for _, n := range f.nodes {
		found := ask(n)
		switch more := grades[found.Status].code - grades[result.Status].code; {
		case result.Name == "" || more > 0:
			result, details = found, nil
		case more < 0 || found.Status == gradeOK:
			continue
		}
		details = append(details, n.addr+": "+found.Detail)
	}
	if len(f.nodes) > 1 && result.Status != gradeOK {
		result.Detail = strings.Join(details, "; ")
	}
	return result
}

// version needs no INFO to be good enough: connecting checks the floor by the
// server's greeting.
func version(n nodeFacts) finding {
	const name = "server version"
	v := n.info["redis_version"]
	major, err := strconv.Atoi(strings.Split(v, ".")[0])
	switch {
	case n.infoErr != nil || v == "":
		return fine(name, "%s or newer, by its greeting", redisFloor)
	case err != nil || major < 7:
		return failure(name, v, "Upgrade to Redis "+redisFloor+" or newer: the scripts need it.")
	default:
		return fine(name, "%s", v)
	}
}

func latency(n nodeFacts, slow time.Duration) finding {
	const name = "latency"
	if n.pingErr != nil {
		return notSeen(name, "PING", n.pingErr)
	}
	median, worst := n.pings[len(n.pings)/2], n.pings[len(n.pings)-1]
	detail := fmt.Sprintf("median %s, worst %s of %d round trips", short(median), short(worst), len(n.pings))
	if median > slow {
		return warning(name, detail, "Bring the program and Redis closer together; placing a user takes three round trips.")
	}
	return fine(name, "%s", detail)
}

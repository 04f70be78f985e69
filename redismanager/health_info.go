package redismanager

import (
	"net"
	"strconv"
	"strings"
)

// nodeInfo is what the health checker reads from INFO.
type nodeInfo struct {
	known    bool // false if the node may not be asked
	runID    string
	isMaster bool
	linkUp   bool             // replica: connected to its master
	offset   int64            // how far the node is in the stream of changes; -1 if not known
	replicas int              // master: replicas connected
	acked    map[string]int64 // master: offset that each replica confirmed last, by address
	keys     int64            // keys of all databases
}

// infoSections are those that hold the fields above.
var infoSections = []any{"info", "server", "replication", "keyspace"}

func parseNodeInfo(text string) nodeInfo {
	info := nodeInfo{offset: -1, acked: map[string]int64{}}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		info.known = true
		info.set(name, value)
	}
	return info
}

func (i *nodeInfo) set(name, value string) {
	switch name {
	case "run_id":
		i.runID = value
	case "role":
		i.isMaster = value == roleMaster
	case "master_link_status":
		i.linkUp = value == "up"
	case "slave_repl_offset": // it comes before master_repl_offset, which a replica has too
		i.offset = number(value, -1)
	case "master_repl_offset":
		if i.isMaster {
			i.offset = number(value, -1)
		}
	case "connected_slaves":
		i.replicas = int(number(value, 0))
	default:
		i.setNumbered(name, value)
	}
}

// setNumbered reads the lines of single replicas and databases:
//
//	slave0:ip=10.0.0.2,port=6379,state=online,offset=1234,lag=0
//	db0:keys=12,expires=3,avg_ttl=0
func (i *nodeInfo) setNumbered(name, value string) {
	isReplica, isDB := hasPrefix(name, "slave"), hasPrefix(name, "db")
	if !isReplica && !isDB || !strings.Contains(value, "=") {
		return
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(value, ",") {
		key, val, _ := strings.Cut(part, "=")
		fields[key] = val
	}
	if isDB {
		i.keys += number(fields["keys"], 0)
		return
	}
	if fields["state"] == "online" {
		i.acked[net.JoinHostPort(fields["ip"], fields["port"])] = number(fields["offset"], -1)
	}
}

func number(s string, otherwise int64) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return otherwise
	}
	return n
}

// lagOf says how many bytes a replica is behind its master, -1 if that is not
// known. A replica that does not answer is judged by what it confirmed last.
func lagOf(addr string, replica, master nodeInfo) int64 {
	done := replica.offset
	if !replica.known {
		acked, found := master.acked[addr]
		if !found {
			return -1
		}
		done = acked
	}
	if done < 0 || !master.known || master.offset < 0 {
		return -1
	}
	return max(master.offset-done, 0) // the two were asked one after the other
}

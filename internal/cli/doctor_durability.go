package cli

// durability says what a change survives on this deployment, by what it waited
// for. It finds nothing wrong: persistence and replicas do that.
func (f *facts) durability() finding {
	const name = "durability"
	online, disk := -1, true
	for _, n := range f.nodes {
		if n.infoErr != nil {
			return notSeen(name, "INFO", n.infoErr)
		}
		if replicas := onlineReplicas(n.info); online < 0 || replicas < online {
			online = replicas
		}
		disk = disk && n.info["aof_enabled"] == "1"
	}
	alone := "without acks a change may end with the server's process"
	if disk {
		alone = "without acks a change survives the end of the server's process"
	}
	if online == 0 {
		return fine(name, "%s; acks cannot be had: a master has no replica", alone)
	}
	return fine(name, "%s, and may be lost in a failover; with acks of 1 it survives one, with up to %d to be had", alone, online)
}

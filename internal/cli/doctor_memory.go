package cli

import (
	"fmt"
	"strconv"
)

// nearlyFull is the part of maxmemory, in percent, from which to worry.
const nearlyFull = 90

// memory: a server that may not evict refuses links when it is full.
func memory(n nodeFacts) finding {
	const name = "memory"
	if n.infoErr != nil {
		return notSeen(name, "INFO", n.infoErr)
	}
	used, usedErr := strconv.ParseInt(n.info["used_memory"], 10, 64)
	limit, limitErr := strconv.ParseInt(n.info["maxmemory"], 10, 64)
	if usedErr != nil || limitErr != nil {
		return warning(name, "the server does not tell how much it uses", "Make sure that it stays below its limit.")
	}
	if limit == 0 {
		return fine(name, "%s used, no maxmemory set", n.info["used_memory_human"])
	}
	detail := fmt.Sprintf("%s used of maxmemory %s", n.info["used_memory_human"], n.info["maxmemory_human"])
	// Buffers for replicas and the append-only file do not count for the limit.
	apart, _ := strconv.ParseInt(n.info["mem_not_counted_for_evict"], 10, 64)
	switch percent := float64(used-apart) / float64(limit) * 100; {
	case n.info["maxmemory_policy"] != "noeviction" || percent < nearlyFull:
		return fine(name, "%s", detail)
	case percent < 100:
		return warning(name, fmt.Sprintf("%s: links are refused when it is full", detail), "Raise maxmemory or remove keys.")
	default:
		return failure(name, detail+": at maxmemory: links are refused", "Raise maxmemory or remove keys.")
	}
}

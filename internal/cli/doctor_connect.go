package cli

import (
	"errors"
	"io"
	"strings"

	"github.com/statelink/statelink/redismanager"
)

const grantsRemedy = "Grant the user +evalsha +eval and the commands inside the scripts on ~sf:*; SECURITY.md has the list."

// notConnected tells why there is nothing more to look at.
func notConnected(err error) finding {
	text := oneLine(err)
	if name, remedy := byCause(err); remedy != "" {
		return failure(name, text, remedy)
	}
	switch {
	case errors.Is(err, redismanager.ErrWrongTopology):
		return failure("topology", text, "Correct the mode, the address, or the server's version.")
	case errors.Is(err, redismanager.ErrAuth):
		return failure("connection", text, "Give the right user and password, in --redis or by STATELINK_REDIS_USERNAME and STATELINK_REDIS_PASSWORD.")
	case errors.As(err, new(configError)):
		return failure("configuration", text, "Correct the setting; 'statelink config env' lists them.")
	}
	remedy := "Start Redis, or give its address with --redis URL. If it is slow to answer: a longer --timeout."
	if errors.Is(err, io.EOF) {
		remedy += " If the server speaks TLS only, use rediss://."
	}
	return failure("connection", text, remedy)
}

// byCause knows what helps against refusals of a server that is there, and the
// check that they belong to. Of an unknown cause it gives nothing.
func byCause(err error) (name, remedy string) {
	has := func(word string) bool { return strings.Contains(err.Error(), word) }
	switch {
	case errors.Is(err, redismanager.ErrBusyScript):
		return "scripts run", "Wait, or end the script with SCRIPT KILL."
	case has("NOREPLICAS"):
		return "replicas", "Bring the replicas back, or lower min-replicas-to-write."
	case has("MISCONF"):
		return "persistence", "See the server's log: its disk or snapshot fails."
	case has("tls: "), has("x509: "):
		return "encryption", "Check tls.ca_file, tls.cert_file and tls.key_file."
	case errors.Is(err, redismanager.ErrAuth) && isNotAllowed(err):
		return "scripts run", grantsRemedy
	default:
		return "", ""
	}
}

// isNotAllowed reports that the server keeps a command from this user: by its
// ACL, or for everybody, as managed services do.
func isNotAllowed(err error) bool {
	return strings.Contains(err.Error(), "NOPERM") || strings.Contains(err.Error(), "unknown command")
}

// notSeen is the finding of a check that could not look.
func notSeen(name, command string, err error) finding {
	if isNotAllowed(err) {
		return warning(name, "not allowed to look ("+command+")", "Run doctor as a user who may run "+command+".")
	}
	return warning(name, "could not look ("+command+"): "+oneLine(err), "Run doctor again; if it stays, see the server's log.")
}

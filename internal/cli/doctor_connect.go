package cli

import (
	"errors"
	"strings"

	"github.com/statelink/statelink/redismanager"
)

const grantsRemedy = "Grant the user +evalsha +eval and the commands inside the scripts on ~sf:*; SECURITY.md has the list."

// notConnected tells why there is nothing more to look at.
func notConnected(err error) finding {
	text := oneLine(err)
	switch {
	case errors.Is(err, redismanager.ErrWrongTopology):
		return failure("topology", text, "Correct the mode, the address, or the server's version.")
	case errors.Is(err, redismanager.ErrAuth) && isNotAllowed(err):
		return failure("scripts run", text, grantsRemedy)
	case errors.Is(err, redismanager.ErrAuth):
		return failure("connection", text, "Give the right user and password, in --redis or by STATELINK_REDIS_USERNAME and STATELINK_REDIS_PASSWORD.")
	case errors.As(err, new(configError)):
		return failure("configuration", text, "Correct the setting; 'statelink config env' lists them.")
	default:
		return failure("connection", text, "Start Redis, or give its address with --redis URL. If it is slow to answer: a longer --timeout.")
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

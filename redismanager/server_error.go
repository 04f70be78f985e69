package redismanager

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// isServerError reports whether err itself is the server's reply to the
// command. A failed dial may carry the reply of another server, such as a
// sentinel's, in its chain: that is no answer to the command.
func isServerError(err error) bool {
	_, reply := err.(redis.Error) //nolint:errorlint // the chain must not count
	return reply
}

// replyInChain finds an error reply that made the way to the server fail, such
// as a sentinel's refusal to log in.
func replyInChain(err error) (text string, found bool) {
	var reply redis.Error
	if errors.As(err, &reply) && !errors.Is(reply, redis.Nil) {
		return reply.Error(), true
	}
	return "", false
}

// noScript is the whole reply of Redis for an unknown SHA. The prefix alone
// would let a script that returns its own "NOSCRIPT ..." be run twice.
const noScript = "NOSCRIPT No matching script"

func isNoScript(err error) bool {
	return err != nil && isServerError(err) && strings.HasPrefix(err.Error(), noScript)
}

func hasPrefix(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// The sentences with which Redis or Valkey refuses to start a command. The
// whole sentence counts, not only the code in front: a script may answer with a
// code of its own, such as BUSY or TRYAGAIN, after it has written.
var (
	away = regexp.MustCompile(`^(LOADING \w+ is loading the dataset in memory` +
		`|CLUSTERDOWN (The cluster is down|Hash slot not served)` +
		`|MASTERDOWN Link with MASTER is down` +
		`|ERR max number of clients reached)`)
	tryAgain    = regexp.MustCompile(`^TRYAGAIN Multiple keys request during rehashing of slot`)
	notWritable = regexp.MustCompile(`^(NOREPLICAS Not enough good replicas to write` +
		`|MISCONF (\w+ is configured to save RDB snapshots|Errors writing to the AOF file))`)
	readOnly    = regexp.MustCompile(`^READONLY You can't write against a read only (replica|slave)`)
	busyScript  = regexp.MustCompile(`^BUSY \w+ is busy running a script`)
	noPermit    = regexp.MustCompile(`^(NOAUTH (Authentication required|HELLO must)|WRONGPASS |NOPERM (this user|User)|ERR AUTH |ERR invalid password)`)
	redirection = regexp.MustCompile(`^(MOVED|ASK) \d{1,5} (\S*):(\d+)$`)
	uncompiled  = regexp.MustCompile(`Error compiling script|Unexpected flag in script shebang|Unknown lua shebang option|Unexpected engine in script shebang|Invalid script shebang`)
)

// serverClass maps an error reply to its class, nil for one without a class
// of its own. Several refusals inside a script come as ERR with a fixed text.
func serverClass(text string) error {
	switch {
	case away.MatchString(text), tryAgain.MatchString(text), notWritable.MatchString(text):
		return ErrUnavailable
	case noPermit.MatchString(text),
		strings.Contains(text, "The user executing the script can't"),
		strings.Contains(text, "ACL failure in script"):
		return ErrAuth
	case readOnly.MatchString(text):
		return ErrReadOnly
	case strings.HasPrefix(text, "OOM command not allowed"):
		return ErrOutOfMemory
	case busyScript.MatchString(text), strings.HasPrefix(text, "UNKILLABLE "):
		return ErrBusyScript
	case strings.HasPrefix(text, "CROSSSLOT "),
		strings.Contains(text, "attempted to access a non local key"),
		strings.Contains(text, "attempted to access keys that do not hash to the same slot"):
		return ErrCrossSlot
	case strings.Contains(text, "WRONGTYPE Operation"): // the embedded server puts words before it
		return ErrWrongType
	case redirection.MatchString(text), strings.Contains(text, "cluster support disabled"):
		return ErrWrongTopology
	case uncompiled.MatchString(text):
		return ErrScriptCompile
	}
	return nil
}

// isInsideScript reports whether Redis says that the error arose while the
// script ran: it then names the script.
func isInsideScript(text string) bool {
	return strings.Contains(text, "script: ") && strings.Contains(text, "@user_script")
}

// scriptLine also knows how the embedded server says it.
var scriptLine = regexp.MustCompile(`user_script(?::| line:)(\d+)`)

// lineOf finds the line of the script that the server names, 0 if none.
func lineOf(text string) int {
	match := scriptLine.FindStringSubmatch(text)
	if match == nil {
		return 0
	}
	line, err := strconv.Atoi(match[1])
	if err != nil {
		return 0
	}
	return line
}

package reliability

import (
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/redismanager"
)

// Outcome is what a caller knows of its call afterwards.
type Outcome int

// The outcomes. A call that is Applied took effect, but not as far as it was
// asked to: its replicas had not acknowledged it.
const (
	OK Outcome = iota
	Applied
	NotApplied
	Unknown
)

// JudgeLibrary reads an error of the library.
func JudgeLibrary(err error) Outcome {
	switch {
	case err == nil:
		return OK
	case errors.Is(err, statelink.ErrOutcomeUnknown):
		return Unknown
	case errors.Is(err, statelink.ErrNotDurable):
		return Applied
	default:
		return NotApplied
	}
}

// JudgePlain reads an error of a plain client in its favour: it claims nothing.
func JudgePlain(err error) Outcome {
	if err == nil {
		return OK
	}
	return Unknown
}

// result is one call that has returned.
type result struct {
	begun, ended time.Time
	err          error
	outcome      Outcome
}

// Tally counts the calls of a group.
type Tally struct {
	Calls, OK, Applied, NotApplied, Unknown int

	Classes     map[string]int   // failures by class
	Examples    map[string]error // one failure of each class
	First, Last time.Time        // when the first and the last failed call returned
	Latency     Latency          // of all calls
	FailedTime  time.Duration    // how long the failed calls took, added up
}

// Failed is the number of calls that gave their caller an error.
func (t *Tally) Failed() int { return t.Applied + t.NotApplied + t.Unknown }

// Window is the time from the first to the last failure.
func (t *Tally) Window() time.Duration { return t.Last.Sub(t.First) }

// After is the time from a fault to the last failure, 0 if there was none after it.
func (t *Tally) After(fault time.Time) time.Duration { return max(t.Last.Sub(fault), 0) }

func (t *Tally) count(r result) {
	t.Calls++
	t.Latency.Add(r.ended.Sub(r.begun))
	switch r.outcome {
	case OK:
		t.OK++
		return
	case Applied:
		t.Applied++
	case NotApplied:
		t.NotApplied++
	case Unknown:
		t.Unknown++
	}
	t.fail(r)
}

func (t *Tally) fail(r result) {
	if t.Classes == nil {
		t.Classes, t.Examples = map[string]int{}, map[string]error{}
		t.First = r.ended
	}
	class := classOf(r.err)
	t.Classes[class]++
	t.Examples[class] = r.err
	t.Last = r.ended
	t.FailedTime += r.ended.Sub(r.begun)
}

// classOf is the library's class or, for what it does not know, the code of the
// server's reply.
func classOf(err error) string {
	class := statelink.Classify(err)
	if class != redismanager.ClassOther {
		return string(class)
	}
	word, _, _ := strings.Cut(err.Error(), " ")
	if word != strings.ToUpper(word) {
		return string(class)
	}
	return word
}

func (t *Tally) add(o Tally) {
	t.Calls += o.Calls
	t.OK += o.OK
	t.Applied += o.Applied
	t.NotApplied += o.NotApplied
	t.Unknown += o.Unknown
	t.FailedTime += o.FailedTime
	t.Latency.merge(&o.Latency)
	if o.Classes == nil {
		return
	}
	if t.Classes == nil {
		t.Classes, t.Examples = map[string]int{}, map[string]error{}
	}
	for class, n := range o.Classes {
		t.Classes[class] += n
	}
	maps.Copy(t.Examples, o.Examples)
	if t.First.IsZero() || o.First.Before(t.First) {
		t.First = o.First
	}
	if o.Last.After(t.Last) {
		t.Last = o.Last
	}
}

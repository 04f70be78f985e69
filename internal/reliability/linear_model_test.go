package reliability

import (
	"fmt"

	"github.com/anishathalye/porcupine"

	"github.com/statelink/statelink"
)

// opKind is an operation on one persistent link.
type opKind string

const (
	opSet      opKind = "set"
	opTrySet   opKind = "try set"
	opIfAbsent opKind = "set if absent"
	opGet      opKind = "get"
	opRemove   opKind = "remove"
	opRemoveID opKind = "remove with id"
)

var allOps = []opKind{opSet, opTrySet, opIfAbsent, opGet, opRemove, opRemoveID}

// linkOp is what was asked, linkReply what was answered. An operation whose
// outcome is unknown has any answer, and takes effect at any time or never.
type linkOp struct {
	kind opKind
	uid  string
	pod  int
}

type linkReply struct {
	unknown bool
	pod     int  // the previous or the current pod
	ok      bool // it was set, or removed
}

// apply is the contract: the next state and the answer, from the linked pod.
func (op linkOp) apply(linked int) (next int, reply linkReply) {
	const none = statelink.NoPod
	switch op.kind {
	case opSet:
		return op.pod, linkReply{pod: linked}
	case opTrySet:
		if linked == none || linked == op.pod {
			return op.pod, linkReply{pod: op.pod, ok: true}
		}
		return linked, linkReply{pod: linked}
	case opIfAbsent:
		if linked == none {
			return op.pod, linkReply{pod: op.pod}
		}
		return linked, linkReply{pod: linked}
	case opRemove:
		return none, linkReply{ok: linked != none}
	case opRemoveID:
		if linked == op.pod {
			return none, linkReply{ok: true}
		}
		return linked, linkReply{}
	case opGet:
	}
	return linked, linkReply{pod: linked}
}

// linkModel judges the history of each link by itself.
var linkModel = porcupine.Model{
	Partition: partitionByUID,
	Init:      func() any { return statelink.NoPod },
	Step: func(state, input, output any) (bool, any) {
		next, want := input.(linkOp).apply(state.(int))
		got := output.(linkReply)
		return got.unknown || got == want, next
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}

func partitionByUID(history []porcupine.Operation) [][]porcupine.Operation {
	byUID := map[string][]porcupine.Operation{}
	for _, op := range history {
		uid := op.Input.(linkOp).uid
		byUID[uid] = append(byUID[uid], op)
	}
	parts := make([][]porcupine.Operation, 0, len(byUID))
	for _, part := range byUID {
		parts = append(parts, part)
	}
	return parts
}

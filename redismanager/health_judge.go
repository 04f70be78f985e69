package redismanager

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// opinion is what one finding says of a node, before the trend is looked at.
type opinion struct {
	state  HealthState
	reason string
}

// judge weighs what a node answered. expected is how many replicas a master
// should have.
func (p HealthPolicy) judge(f *finding, lag int64, expected int) opinion {
	if f.err != nil {
		if text, replied := replyInChain(f.err); replied && !f.isMaster() && hasPrefix(text, "MASTERDOWN ") {
			return opinion{Degraded, "its link to the master is down"}
		}
		return opinion{Down, f.err.Error()}
	}
	reasons := p.common(f)
	if f.isMaster() {
		reasons = append(reasons, masterFaults(f, expected)...)
	} else {
		reasons = append(reasons, p.replicaFaults(f, lag)...)
	}
	if len(reasons) == 0 {
		return opinion{state: Healthy}
	}
	return opinion{Degraded, strings.Join(reasons, "; ")}
}

func (p HealthPolicy) common(f *finding) (reasons []string) {
	if f.unpermitted {
		reasons = append(reasons, "the user may not run scripts")
	}
	if p.Latency > 0 && f.latency > p.Latency {
		reasons = append(reasons, fmt.Sprintf("it answers slower than in %v", p.Latency))
	}
	return reasons
}

func masterFaults(f *finding, expected int) (reasons []string) {
	if f.loadErr != nil {
		reasons = append(reasons, fmt.Sprintf("it lacks %d scripts: %v", f.missing-len(f.loaded), f.loadErr))
	}
	if f.info.known && f.info.replicas == 0 && expected > 0 {
		reasons = append(reasons, fmt.Sprintf("none of its replicas is connected, %d should be", expected))
	}
	return reasons
}

func (p HealthPolicy) replicaFaults(f *finding, lag int64) (reasons []string) {
	switch {
	case f.info.known && f.info.isMaster:
		reasons = append(reasons, "it follows no master")
	case f.info.known && !f.info.linkUp:
		reasons = append(reasons, "its link to the master is down")
	}
	if p.LagBytes > 0 && lag > p.LagBytes {
		reasons = append(reasons, fmt.Sprintf("it is more than %d bytes behind its master", p.LagBytes))
	}
	return reasons
}

// isTopologyFault reports a master's failure that a newer view may cure.
func (f *finding) isTopologyFault() bool {
	if f.err == nil || !f.isMaster() {
		return false
	}
	text, replied := replyInChain(f.err)
	return !replied || errors.Is(f.err, ErrReadOnly) || hasPrefix(text, "CLUSTERDOWN ")
}

// downFirst orders the nodes that are down before the others.
func downFirst(n NodeHealth) int {
	if n.State == Down {
		return 0
	}
	return 1
}

// maxNamed is how many nodes a reason names.
const maxNamed = 3

// summarise names the nodes that are not healthy, those that are down first.
func summarise(ill []NodeHealth) string {
	slices.SortStableFunc(ill, func(a, b NodeHealth) int { return downFirst(a) - downFirst(b) })
	var words []string
	for _, n := range ill[:min(len(ill), maxNamed)] {
		words = append(words, fmt.Sprintf("%s %s is %s: %s", n.Role, n.Addr, n.State, n.Reason))
	}
	if len(ill) > maxNamed {
		words = append(words, fmt.Sprintf("and %d more", len(ill)-maxNamed))
	}
	return strings.Join(words, "; ")
}

// overall judges the whole deployment by its nodes. uncovered is how many slots
// have no master at all, for some checks by now.
func overall(s *HealthStatus, mode Mode, uncovered int) opinion {
	var ill []NodeHealth
	answering, mastersDown := 0, 0
	for _, n := range s.Nodes {
		if n.State != Down {
			answering++
		}
		if n.State != Healthy {
			ill = append(ill, n)
		}
		if n.State == Down && n.Role == roleMaster && !n.hasLeft {
			mastersDown++
		}
	}
	unserved := slotCount - s.SlotsServed
	switch { // slots without a master count only after some checks, those of one that is down at once
	case mode == ModeCluster && unserved > 0 && (mastersDown > 0 || uncovered > 0):
		return opinion{Down, strings.TrimSuffix(fmt.Sprintf("%d of %d slots are not served; %s", unserved, slotCount, summarise(ill)), "; ")}
	case answering == 0, mode != ModeCluster && mastersDown > 0:
		return opinion{Down, summarise(ill)}
	case len(ill) > 0:
		return opinion{Degraded, summarise(ill)}
	}
	return opinion{state: Healthy}
}

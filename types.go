package statelink

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	// NoPod is the answer "linked to no pod". Pod indexes begin at 0.
	NoPod = -1
	// PersistForever as persistSeconds makes a persistent link.
	PersistForever = -1
	// MaxPersistSeconds is the longest time to live of a temporary link: ten years.
	MaxPersistSeconds = 10 * 365 * 24 * 60 * 60
	// MaxPod is the highest pod index.
	MaxPod = 1<<31 - 1
	// MaxLoad is the highest load a pod may report.
	MaxLoad = 1<<53 - 1
)

// StatefulExecutor is the contract for links, pod states and workload states.
// [*Executor] implements it.
//
// namespace and serviceName match [A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])? and
// are at most 253 bytes; uid is 1 to 512 bytes of UTF-8 without braces and
// control characters; podID is 0 to [MaxPod]; persistSeconds is
// [PersistForever] or 1 to [MaxPersistSeconds]. Anything else is
// [ErrInvalidArgument] and nothing is sent. A change whose reply was lost is
// [ErrOutcomeUnknown]: it is never sent twice.
type StatefulExecutor interface {
	// SetServiceState stores a pod's state, given as <load>-<unix ms>-<routing>.
	// The time is replaced by the server's own.
	SetServiceState(ctx context.Context, namespace, serviceName string, podID int, state string) error
	// GetServiceState gives the stored state of each pod of the service.
	GetServiceState(ctx context.Context, namespace, serviceName string) (map[int]string, error)
	// SetWorkloadState stores one word for the whole service.
	SetWorkloadState(ctx context.Context, namespace, serviceName, state string) error
	// GetWorkloadState gives that word, "" if there is none.
	GetWorkloadState(ctx context.Context, namespace, serviceName string) (string, error)
	// GetWorkloadStateBatch gives the words of many services; those without one are left out.
	GetWorkloadStateBatch(ctx context.Context, namespace string, serviceNames []string) (map[string]string, error)
	// SetLinkedPod links whatever was before, and gives the previous pod or NoPod.
	SetLinkedPod(ctx context.Context, namespace, uid, serviceName string, podID, persistSeconds int) (previousPod int, err error)
	// TrySetLinkedPod links unless a persistent link to another pod is there; ok says if the link is now to podID.
	TrySetLinkedPod(ctx context.Context, namespace, uid, serviceName string, podID, persistSeconds int) (ok bool, currentPod int, err error)
	// SetLinkedPodIfAbsent links only if there is no link, and gives the pod that is linked now.
	SetLinkedPodIfAbsent(ctx context.Context, namespace, uid, serviceName string, podID, persistSeconds int) (currentPod int, err error)
	// GetLinkedPod gives the linked pod, or NoPod.
	GetLinkedPod(ctx context.Context, namespace, uid, serviceName string) (int, error)
	// GetLinkedPodIfPersist gives the linked pod if the link is persistent, else NoPod.
	GetLinkedPodIfPersist(ctx context.Context, namespace, uid, serviceName string) (int, error)
	// BatchGetLinkedPod groups many uids by their pod; those without a link are under NoPod.
	BatchGetLinkedPod(ctx context.Context, namespace string, uids []string, serviceName string) (map[int][]string, error)
	// RemoveLinkedPod removes the link now (persistSeconds PersistForever or 0) or after that many seconds.
	RemoveLinkedPod(ctx context.Context, namespace, uid, serviceName string, persistSeconds int) (bool, error)
	// RemoveLinkedPodWithId does the same only if the link is to podID.
	RemoveLinkedPodWithId(ctx context.Context, namespace, uid, serviceName string, persistSeconds, podID int) (bool, error)
	// GetLinkService lists the persistent links of a uid: service name to pod.
	GetLinkService(ctx context.Context, namespace, uid string) (map[string]int, error)
	// ComputeLinkedPodIfAbsent gives the linked pod; if there is none, or it is dead, it links to the least-loaded ready pod.
	ComputeLinkedPodIfAbsent(ctx context.Context, namespace, uid, serviceName string, persistSeconds int) (int, error)
}

var _ StatefulExecutor = (*Executor)(nil)

// Routing says whether a pod takes users.
type Routing int

const (
	// RoutingUnavailable means that the pod takes no new users and, for now, serves
	// none; while it reports, those that are linked to it stay.
	RoutingUnavailable Routing = 0
	// RoutingReady means that the pod serves its users and takes new ones.
	RoutingReady Routing = 1
	// RoutingDraining means that the pod serves its users and takes no new ones.
	RoutingDraining Routing = 2
)

// String gives unavailable, ready or draining.
func (r Routing) String() string {
	switch r {
	case RoutingUnavailable:
		return "unavailable"
	case RoutingReady:
		return "ready"
	case RoutingDraining:
		return "draining"
	default:
		return "routing " + strconv.Itoa(int(r))
	}
}

// MarshalText encodes the routing state by its name.
func (r Routing) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// PodState is what a pod last reported.
type PodState struct {
	Pod       int       `json:"pod"`
	Load      int64     `json:"load"`      // in the service's own unit, 0 to MaxLoad
	Heartbeat time.Time `json:"heartbeat"` // by the server's clock, to the millisecond
	Routing   Routing   `json:"routing"`
}

// String gives the stored form <load>-<unix ms of heartbeat>-<routing>.
func (s PodState) String() string {
	return fmt.Sprintf("%d-%d-%d", s.Load, s.Heartbeat.UnixMilli(), int(s.Routing))
}

// ParsePodState reads the stored form of a pod's state. What does not parse is
// [ErrMalformedData].
func ParsePodState(pod int, stored string) (PodState, error) {
	parts := strings.Split(stored, "-")
	if len(parts) != 3 {
		return PodState{}, fmt.Errorf("%w: state %q of pod %d, want <load>-<unix ms>-<routing>", ErrMalformedData, clip(stored), pod)
	}
	var numbers [3]int64
	for i, part := range parts {
		n, err := parseUnsigned(part, MaxLoad)
		if err != nil {
			return PodState{}, fmt.Errorf("%w: state %q of pod %d, want three numbers", ErrMalformedData, clip(stored), pod)
		}
		numbers[i] = n
	}
	if numbers[2] > int64(RoutingDraining) {
		return PodState{}, fmt.Errorf("%w: state %q of pod %d, want routing 0, 1 or 2", ErrMalformedData, clip(stored), pod)
	}
	return PodState{Pod: pod, Load: numbers[0], Heartbeat: time.UnixMilli(numbers[1]), Routing: Routing(numbers[2])}, nil
}

// PodLoad is a pod that takes new users, and its load.
type PodLoad struct {
	Pod  int   `json:"pod"`
	Load int64 `json:"load"`
}

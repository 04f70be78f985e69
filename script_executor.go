package statelink

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/statelink/statelink/redismanager"
	"github.com/statelink/statelink/scripts"
)

// ScriptExecutor runs each script on explicit keys, one typed method per
// script. It checks neither keys nor arguments: [Executor] adds both on top.
// All keys of a call must share a Cluster slot (see [Keys]). It is safe for
// concurrent use. Its errors are those of [redismanager.Manager.ExecuteScript],
// and [ErrMalformedData] for a reply that is not the script's.
type ScriptExecutor struct {
	manager *redismanager.Manager
	acks    redismanager.Acks
}

// NewScriptExecutor registers the embedded scripts on the manager, without
// I/O. The caller keeps the manager and closes it.
func NewScriptExecutor(m *redismanager.Manager) (*ScriptExecutor, error) {
	if m == nil {
		return nil, refuse("manager", "nil", "a *redismanager.Manager")
	}
	if err := m.AddScripts(embeddedScripts()...); err != nil {
		return nil, fmt.Errorf("register the embedded scripts: %w", err)
	}
	return &ScriptExecutor{manager: m}, nil
}

// embeddedScripts are those of package scripts, as a manager takes them.
func embeddedScripts() []redismanager.Script {
	all := scripts.All()
	out := make([]redismanager.Script, len(all))
	for i, s := range all {
		out[i] = redismanager.Script{Name: s.Name, Source: s.Source, Idempotent: s.Idempotent}
	}
	return out
}

func (s *ScriptExecutor) run(ctx context.Context, script string, keys []string, args ...any) (any, error) {
	return s.manager.Run(ctx, redismanager.ScriptCall{Script: script, Keys: keys, Args: args, Acks: s.acks})
}

// withAcks gives an executor of the same scripts whose changes wait for replicas.
func (s *ScriptExecutor) withAcks(acks redismanager.Acks) *ScriptExecutor {
	return &ScriptExecutor{manager: s.manager, acks: acks}
}

// ExecuteSetLink sets the link, whatever it was, and gives the previous pod or [NoPod].
func (s *ScriptExecutor) ExecuteSetLink(ctx context.Context, uidSvcKey, uidKey, serviceName string, podID, persistSeconds int) (int, error) {
	reply, err := s.run(ctx, scripts.SetLink, []string{uidSvcKey, uidKey}, serviceName, podID, persistSeconds)
	return decode(NoPod, reply, err, func(reply any) (int, error) {
		words, err := list(reply, 1)
		if err != nil {
			return NoPod, err
		}
		return previousPod(words[0]), nil
	})
}

// ExecuteSetLinkIfAbsent sets the link if there is none, and gives the pod linked now.
func (s *ScriptExecutor) ExecuteSetLinkIfAbsent(ctx context.Context, uidSvcKey, uidKey, serviceName string, podID, persistSeconds int) (int, error) {
	reply, err := s.run(ctx, scripts.SetLinkIfAbsent, []string{uidSvcKey, uidKey}, serviceName, podID, persistSeconds)
	return decode(NoPod, reply, err, func(reply any) (int, error) {
		words, err := list(reply, 1)
		if err != nil {
			return NoPod, err
		}
		return storedPod(words[0])
	})
}

// ExecuteTrySetLink sets the link unless a persistent one to another pod is
// there. It gives whether the link is now to podID, and the pod linked now.
func (s *ScriptExecutor) ExecuteTrySetLink(ctx context.Context, uidSvcKey, uidKey, serviceName string, podID, persistSeconds int) (ok bool, currentPod int, err error) {
	reply, err := s.run(ctx, scripts.TrySetLink, []string{uidSvcKey, uidKey}, serviceName, podID, persistSeconds)
	current, _, err := currentAndPrevious(reply, err)
	return current == podID, current, err
}

// ExecuteRemoveLink removes the link, at once if persistSeconds is -1 or 0,
// else after that time. It gives whether there was a link.
func (s *ScriptExecutor) ExecuteRemoveLink(ctx context.Context, uidSvcKey, uidKey, serviceName string, persistSeconds int) (bool, error) {
	return done(s.run(ctx, scripts.RemoveLink, []string{uidSvcKey, uidKey}, serviceName, persistSeconds))
}

// ExecuteRemoveLinkWithId is ExecuteRemoveLink only if the link is to podID.
func (s *ScriptExecutor) ExecuteRemoveLinkWithId(ctx context.Context, uidSvcKey, uidKey, serviceName string, persistSeconds, podID int) (bool, error) {
	return done(s.run(ctx, scripts.RemoveLinkWithId, []string{uidSvcKey, uidKey}, serviceName, persistSeconds, podID))
}

// ExecuteGetLinkIfPersist gives the linked pod if the link is persistent, else [NoPod].
func (s *ScriptExecutor) ExecuteGetLinkIfPersist(ctx context.Context, uidSvcKey string) (int, error) {
	return onePod(s.run(ctx, scripts.GetLinkIfPersist, []string{uidSvcKey}))
}

// ExecuteComputeLinkIfAbsent links to candidatePod if there is no link or the
// link is to expectedPod ([NoPod]: none may be replaced). It gives the pod
// linked now and the one before, or [NoPod].
func (s *ScriptExecutor) ExecuteComputeLinkIfAbsent(ctx context.Context, uidSvcKey, uidKey, serviceName string, persistSeconds, candidatePod, expectedPod int) (currentPod, previousPod int, err error) {
	reply, err := s.run(ctx, scripts.ComputeLinkIfAbsent, []string{uidSvcKey, uidKey}, serviceName, persistSeconds, candidatePod, expectedPod)
	return currentAndPrevious(reply, err)
}

// ExecuteGetServicePod lists the pods that are ready and whose heartbeat is at
// most maxAge old by the server's clock (0: any), least loaded first, at most
// limit of them (0: all).
func (s *ScriptExecutor) ExecuteGetServicePod(ctx context.Context, stateKey string, maxAge time.Duration, limit int) ([]PodLoad, error) {
	reply, err := s.run(ctx, scripts.GetServicePod, []string{stateKey}, maxAge.Milliseconds(), limit)
	if err != nil {
		return nil, err
	}
	words, err := list(reply, -1)
	if err != nil {
		return nil, err
	}
	out := make([]PodLoad, 0, len(words)/2)
	for i := 0; i < len(words); i += 2 {
		pod, load, err := podAndLoad(words[i], words[i+1])
		if err != nil {
			return nil, err
		}
		out = append(out, PodLoad{Pod: pod, Load: load})
	}
	return out, nil
}

func podAndLoad(podWord, loadWord string) (int, int64, error) {
	pod, podErr := parseUnsigned(podWord, MaxPod)
	load, loadErr := parseUnsigned(loadWord, MaxLoad)
	return int(pod), load, firstError(podErr, loadErr)
}

// ExecuteGetService gives the server's time and the stored state of each pod.
func (s *ScriptExecutor) ExecuteGetService(ctx context.Context, stateKey string) (now time.Time, states map[int]string, err error) {
	reply, err := s.run(ctx, scripts.GetService, []string{stateKey})
	if err != nil {
		return time.Time{}, nil, err
	}
	items, ok := reply.([]any)
	if !ok || len(items) == 0 {
		return time.Time{}, nil, fmt.Errorf("%w: reply of %s is %T", ErrMalformedData, scripts.GetService, reply)
	}
	clock, _ := items[0].(string)
	ms, err := strconv.ParseInt(clock, 10, 64)
	if err != nil {
		return time.Time{}, nil, fmt.Errorf("%w: time %q of the server", ErrMalformedData, clip(clock))
	}
	words, err := list(items[1:], -1)
	if err != nil {
		return time.Time{}, nil, err
	}
	states = make(map[int]string, len(words)/2)
	for i := 0; i < len(words); i += 2 {
		if pod, err := parseUnsigned(words[i], MaxPod); err == nil { // else not a pod: another program's field
			states[int(pod)] = words[i+1]
		}
	}
	return time.UnixMilli(ms), states, nil
}

// ExecuteSetState stores a pod's state with the server's time as heartbeat,
// and gives the stored form of the previous state, "" if there was none.
func (s *ScriptExecutor) ExecuteSetState(ctx context.Context, stateKey string, podID int, load int64, routing Routing) (previous string, err error) {
	reply, err := s.run(ctx, scripts.SetState, []string{stateKey}, podID, load, int(routing))
	return decode("", reply, err, func(reply any) (string, error) {
		words, err := list(reply, 1)
		if err != nil {
			return "", err
		}
		return words[0], nil
	})
}

// ExecuteGetLinkService lists the persistent links of a uid: service to pod.
func (s *ScriptExecutor) ExecuteGetLinkService(ctx context.Context, uidKey string) (map[string]int, error) {
	reply, err := s.run(ctx, scripts.GetLinkService, []string{uidKey})
	if err != nil {
		return nil, err
	}
	words, err := list(reply, -1)
	if err != nil {
		return nil, err
	}
	out := make(map[string]int, len(words)/2)
	for i := 0; i < len(words); i += 2 {
		pod, err := storedPod(words[i+1])
		if err != nil {
			return nil, fmt.Errorf("link to service %s: %w", quote(words[i]), err)
		}
		out[words[i]] = pod
	}
	return out, nil
}

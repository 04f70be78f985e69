package statelink_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
)

// wrongModels are models with one fault each, of the kind that an
// implementation might have.
var wrongModels = []rules{
	{name: "pod 0 is no pod", steps: map[string]func(*model, op) string{
		"SetLinkedPod": func(m *model, o op) string {
			if previous := m.set(o); previous != "0" {
				return previous
			}
			return "-1"
		},
	}},
	{name: "try overwrites a persistent link", steps: map[string]func(*model, op) string{
		"TrySetLinkedPod": func(m *model, o op) string {
			m.set(o)
			return fmt.Sprint(true, o.pod)
		},
	}},
	{name: "try is refused by a temporary link", steps: map[string]func(*model, op) string{
		"TrySetLinkedPod": func(m *model, o op) string {
			if link, linked := m.links[o.link()]; linked && link.pod != o.pod {
				return fmt.Sprint(false, link.pod)
			}
			return m.try(o)
		},
	}},
	{name: "if absent starts the time anew", steps: map[string]func(*model, op) string{
		"SetLinkedPodIfAbsent": func(m *model, o op) string {
			if link, linked := m.links[o.link()]; linked && link.ttl != forever {
				m.links[o.link()] = modelLink{link.pod, o.ttl}
			}
			return m.setIfAbsent(o)
		},
	}},
	{name: "a link keeps its time when it is set again", steps: map[string]func(*model, op) string{
		"SetLinkedPod": func(m *model, o op) string {
			if link, linked := m.links[o.link()]; linked && link.ttl != forever && o.ttl != forever {
				o.ttl = link.ttl
			}
			return m.set(o)
		},
	}},
	{name: "a removal for later is one for now", steps: map[string]func(*model, op) string{
		"RemoveLinkedPod": func(m *model, o op) string {
			o.remove = 0
			return m.remove(o)
		},
	}},
	{name: "a removal does not look at the pod", steps: map[string]func(*model, op) string{"RemoveLinkedPodWithId": (*model).remove}},
	{name: "the persistent read gives temporary links", steps: map[string]func(*model, op) string{"GetLinkedPodIfPersist": (*model).getLink}},
	{name: "a draining pod loses its users", steps: map[string]func(*model, op) string{
		"ComputeLinkedPodIfAbsent": func(m *model, o op) string {
			if m.pods[o.serving()][m.get(o.link())].routing != ready {
				delete(m.links, o.link())
			}
			return m.compute(o)
		},
	}},
	{name: "the highest load is the best", steps: map[string]func(*model, op) string{
		"ReadyPods": func(m *model, o op) string {
			list := m.readyPods(o.serving(), o.anyAge)
			for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
				list[i], list[j] = list[j], list[i]
			}
			return fmt.Sprint(list[:min(len(list), max(o.limit, 1))])
		},
	}},
	{name: "the dead keep their users", steps: map[string]func(*model, op) string{
		"ComputeLinkedPodIfAbsent": func(m *model, o op) string {
			if m.get(o.link()) != -1 {
				return m.getLink(o)
			}
			return m.compute(o)
		},
	}},
	{name: "namespaces share workload states", steps: map[string]func(*model, op) string{
		"SetWorkloadState": func(m *model, o op) string {
			m.words[serviceID{o.ns + "-b", o.service}] = o.word
			return m.setWord(o)
		},
	}},
	{name: "the list keeps temporary links", store: func(m *model) map[string]string {
		keys := m.store()
		for id, link := range m.links {
			user := statelink.NewKeys("sf").User(id.ns, id.uid)
			if _, listed := keys[user]; !listed {
				keys[user] = fmt.Sprintf("hash, no ttl: %s=%d", id.service, link.pod)
			}
		}
		return keys
	}},
	{name: "times to live do not matter", store: func(m *model) map[string]string {
		for id, link := range m.links {
			m.links[id] = modelLink{link.pod, 300}
		}
		return m.store()
	}},
}

// TestWrongModelIsFound: the comparison finds each fault within a few of the
// sequences in which it finds nothing wrong with the model itself.
func TestWrongModelIsFound(t *testing.T) {
	t.Parallel()
	const sequences = 10
	session := newSession(newStage(t, backendNamed(t, "standalone").ownExecutor(t, nil, statelink.WithPodMaxAge(aliveHour))))
	drawn := anyOps(allKinds())
	for seed := range sequences {
		require.NoError(t, session.run(t, drawn.Example(seed), theModel))
	}
	for _, wrong := range wrongModels {
		if wrong.store == nil {
			wrong.store = (*model).store
		}
		found := error(nil)
		for seed := 0; seed < sequences && found == nil; seed++ {
			found = session.run(t, drawn.Example(seed), wrong)
		}
		require.Error(t, found, wrong.name)
	}
}

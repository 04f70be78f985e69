package statelink_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/statelink/statelink"
)

// model is what the executor and Redis together should be: a few maps and the
// plainest code that says what each operation does to them.
type model struct {
	links map[linkID]modelLink
	pods  map[serviceID]map[int]modelPod
	words map[serviceID]string
}

type (
	linkID    struct{ ns, uid, service string }
	serviceID struct{ ns, service string }

	modelLink struct{ pod, ttl int } // ttl in seconds; forever = persistent

	modelPod struct {
		load    int64
		routing statelink.Routing
		dead    bool // the heartbeat is older than any age that the test asks for
	}
)

func newModel() *model {
	return &model{links: map[linkID]modelLink{}, pods: map[serviceID]map[int]modelPod{}, words: map[serviceID]string{}}
}

// op is one operation with all arguments that it may need.
type op struct {
	kind             string
	ns, uid, service string
	pod, ttl         int
	remove           int // persistSeconds of a removal
	load             int64
	routing          statelink.Routing
	limit            int
	anyAge           bool
	word             string
}

func (o op) link() linkID       { return linkID{o.ns, o.uid, o.service} }
func (o op) serving() serviceID { return serviceID{o.ns, o.service} }

func (m *model) get(id linkID) int {
	if link, ok := m.links[id]; ok {
		return link.pod
	}
	return -1
}

func (m *model) set(o op) string {
	previous := m.get(o.link())
	m.links[o.link()] = modelLink{o.pod, o.ttl}
	return fmt.Sprint(previous)
}

func (m *model) try(o op) string {
	link, linked := m.links[o.link()]
	if linked && link.ttl == forever && link.pod != o.pod {
		return fmt.Sprint(false, link.pod)
	}
	m.set(o)
	return fmt.Sprint(true, o.pod)
}

func (m *model) setIfAbsent(o op) string {
	if _, linked := m.links[o.link()]; !linked {
		m.set(o)
	}
	return m.getLink(o)
}

func (m *model) getLink(o op) string { return fmt.Sprint(m.get(o.link())) }

func (m *model) getPersistent(o op) string {
	if link, ok := m.links[o.link()]; ok && link.ttl == forever {
		return fmt.Sprint(link.pod)
	}
	return "-1"
}

func (m *model) remove(o op) string {
	link, linked := m.links[o.link()]
	if linked && o.remove <= 0 {
		delete(m.links, o.link())
	} else if linked {
		m.links[o.link()] = modelLink{link.pod, o.remove}
	}
	return fmt.Sprint(linked)
}

func (m *model) removeWithID(o op) string {
	if m.get(o.link()) != o.pod {
		return "false"
	}
	return m.remove(o)
}

func (m *model) services(o op) map[string]int {
	list := map[string]int{}
	for id, link := range m.links {
		if id.ns == o.ns && id.uid == o.uid && link.ttl == forever {
			list[id.service] = link.pod
		}
	}
	return list
}

func (m *model) batch(o op) string {
	byPod := map[int][]string{}
	for _, uid := range batchUIDs {
		pod := m.get(linkID{o.ns, uid, o.service})
		if !slices.Contains(byPod[pod], uid) {
			byPod[pod] = append(byPod[pod], uid)
		}
	}
	return fmt.Sprint(byPod)
}

func (m *model) report(o op) string {
	if m.pods[o.serving()] == nil {
		m.pods[o.serving()] = map[int]modelPod{}
	}
	m.pods[o.serving()][o.pod] = modelPod{load: o.load, routing: o.routing}
	return "done"
}

// readyPods lists ready pods, the least loaded first.
func (m *model) readyPods(id serviceID, anyAge bool) (list []statelink.PodLoad) {
	for pod, state := range m.pods[id] {
		if state.routing == ready && (anyAge || !state.dead) {
			list = append(list, statelink.PodLoad{Pod: pod, Load: state.load})
		}
	}
	slices.SortFunc(list, func(a, b statelink.PodLoad) int {
		return cmp.Or(cmp.Compare(a.Load, b.Load), cmp.Compare(a.Pod, b.Pod))
	})
	return list
}

func (m *model) ready(o op) string {
	list := m.readyPods(o.serving(), o.anyAge)
	if o.limit > 0 && len(list) > o.limit {
		list = list[:o.limit]
	}
	return fmt.Sprint(list)
}

func (m *model) compute(o op) string {
	pod, reported := m.pods[o.serving()][m.get(o.link())]
	if reported && !pod.dead {
		return m.getLink(o)
	}
	candidates := m.readyPods(o.serving(), false)
	if len(candidates) == 0 {
		return "no ready pod"
	}
	m.links[o.link()] = modelLink{candidates[0].Pod, o.ttl}
	return m.getLink(o)
}

// state is the stored form of a pod's state, its time replaced by a word.
func (p modelPod) state() string {
	if p.dead {
		return fmt.Sprintf("%d-OLD-%d", p.load, p.routing)
	}
	return fmt.Sprintf("%d-NOW-%d", p.load, p.routing)
}

func (m *model) states(o op) string {
	list := map[int]string{}
	for pod, state := range m.pods[o.serving()] {
		list[pod] = state.state()
	}
	return fmt.Sprint(list)
}

func (m *model) setWord(o op) string {
	m.words[o.serving()] = o.word
	return "done"
}

func (m *model) word(o op) string { return m.words[o.serving()] }

func (m *model) wordBatch(o op) string {
	list := map[string]string{}
	for _, service := range batchServices {
		if word, ok := m.words[serviceID{o.ns, service}]; ok {
			list[service] = word
		}
	}
	return fmt.Sprint(list)
}

// expire is the end of a temporary link's time.
func (m *model) expire(o op) string {
	if link, ok := m.links[o.link()]; ok && link.ttl != forever {
		delete(m.links, o.link())
	}
	return "done"
}

// age takes ageStep from the time that a temporary link has left.
func (m *model) age(o op) string {
	if link, ok := m.links[o.link()]; ok && link.ttl > ageStep {
		m.links[o.link()] = modelLink{link.pod, link.ttl - ageStep}
	}
	return "done"
}

// die makes the heartbeat of a pod old.
func (m *model) die(o op) string {
	if pod, ok := m.pods[o.serving()][o.pod]; ok {
		pod.dead = true
		m.pods[o.serving()][o.pod] = pod
	}
	return "done"
}

// store is what Redis must hold: each key with type, TTL and value in words.
func (m *model) store() map[string]string {
	k := statelink.NewKeys("sf")
	keys := map[string]string{}
	for id, link := range m.links {
		ttl := "no ttl"
		if link.ttl != forever {
			ttl = fmt.Sprintf("ttl %d s", link.ttl)
		}
		keys[k.Link(id.ns, id.uid, id.service)] = fmt.Sprintf("string, %s: %d", ttl, link.pod)
		if list := m.services(op{ns: id.ns, uid: id.uid}); len(list) > 0 {
			keys[k.User(id.ns, id.uid)] = "hash, no ttl: " + inWords(list)
		}
	}
	for id, pods := range m.pods {
		states := map[int]string{}
		for pod, state := range pods {
			states[pod] = state.state()
		}
		keys[k.State(id.ns, id.service)] = "hash, no ttl: " + inWords(states)
	}
	for id, word := range m.words {
		keys[k.Workload(id.ns, id.service)] = "string, no ttl: " + word
	}
	return keys
}

// inWords writes the fields of a hash in order.
func inWords[K cmp.Ordered, V any](fields map[K]V) string {
	var list []string
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		list = append(list, fmt.Sprintf("%v=%v", field, fields[field]))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

package redismanager

import (
	"fmt"
	"strconv"
)

// marker is a key that should outlive everything but the loss of the data. Its
// value, the epoch, is random: whoever finds another one knows that somebody had
// to make it anew. In a Cluster it belongs to a slot, and is looked for wherever
// that slot is served.
type marker struct {
	slot   int // 0 outside a Cluster, where it does not matter
	key    string
	epoch  string // seen last, "" if it is not known yet
	holder string // address of the master that had it then
}

// markers are those that are looked at: one per master.
type markers struct{ list []*marker }

// assign gives every master its marker. One whose slot has moved to a master
// that has another is dropped, and a master that is left without gets a new one.
func (s *markers) assign(t *topology, prefix string) map[string]*marker {
	byMaster := map[string]*marker{}
	var kept []*marker
	for _, k := range s.list {
		owner := t.single
		if t.slots != nil {
			owner = t.slots[k.slot]
		}
		switch {
		case owner == nil: // nobody serves the slot at the moment
			kept = append(kept, k)
		case byMaster[owner.addr] == nil:
			byMaster[owner.addr] = k
			kept = append(kept, k)
		}
	}
	for _, n := range t.master {
		if byMaster[n.addr] == nil {
			k := newMarker(t.firstSlot(n), prefix)
			byMaster[n.addr] = k
			kept = append(kept, k)
		}
	}
	s.list = kept
	return byMaster
}

// firstSlot is the first slot that a master serves, 0 outside a Cluster. Every
// program that starts now chooses the same.
func (t *topology) firstSlot(n *node) int {
	for slot, owner := range t.slots {
		if owner == n {
			return slot
		}
	}
	return 0
}

func newMarker(slot int, prefix string) *marker {
	return &marker{slot: slot, key: markerKey(slot, prefix)}
}

// markerKey finds the first number whose hash tag belongs to the slot: after
// 16,384 tries on average, some milliseconds, once per master.
func markerKey(slot int, prefix string) string {
	for n := 0; ; n++ {
		tag := "health-" + strconv.Itoa(n)
		if Slot(tag) == slot {
			return prefix + "{" + tag + "}marker"
		}
	}
}

// compare takes what was found in the marker's place, and says how the data was
// lost, if it was.
func (k *marker) compare(f *finding, isRestarted bool) (how string) {
	if !f.mark.isKnown {
		return ""
	}
	if k.epoch != "" && f.mark.found != k.epoch {
		how = k.explain(f, isRestarted)
	}
	k.epoch, k.holder = f.mark.now, f.addr
	return how
}

func (k *marker) explain(f *finding, isRestarted bool) string {
	what := fmt.Sprintf("the key %s is gone", k.key)
	if f.mark.found != "" {
		what = fmt.Sprintf("the key %s was gone and has been made anew", k.key)
	}
	switch {
	case f.addr != k.holder:
		return fmt.Sprintf("it is the master in place of %s and lacks its data: %s", k.holder, what)
	case isRestarted:
		return "it restarted without its data: " + what
	default:
		return "its data was removed: " + what
	}
}

package redismanager

// trend turns findings into a state that does not flap: it falls after some bad
// findings in a row and rises after some good ones. The zero value has no state
// yet and takes the first finding as it is.
type trend struct {
	state HealthState
	// How many findings in a row were Down, not Healthy, not Down, Healthy.
	down, bad, up, good int
}

// observe takes one finding and gives the state.
func (t *trend) observe(seen HealthState, p HealthPolicy) HealthState {
	t.down = streak(t.down, seen == Down)
	t.bad = streak(t.bad, seen != Healthy)
	t.up = streak(t.up, seen != Down)
	t.good = streak(t.good, seen == Healthy)
	switch {
	case t.state == "":
		t.state = seen
	case t.down >= p.Fall:
		t.state = Down
	case t.good >= p.Rise:
		t.state = Healthy
	case t.state == Down && t.up >= p.Rise, t.state == Healthy && t.bad >= p.Fall:
		t.state = Degraded
	}
	return t.state
}

// fall sets the state without a finding.
func (t *trend) fall() { *t = trend{state: Down} }

func streak(n int, goesOn bool) int {
	if goesOn {
		return n + 1
	}
	return 0
}

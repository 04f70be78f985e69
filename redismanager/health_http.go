package redismanager

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// LiveHandler answers whether the process runs, for /healthz: 200 until Close,
// whatever Redis does. A restart of the process would not cure Redis.
func (m *Manager) LiveHandler() http.Handler {
	return jsonHandler(func() (int, any) {
		if m.isClosed.Load() {
			return http.StatusServiceUnavailable, map[string]string{"status": "closed"}
		}
		return http.StatusOK, map[string]string{"status": "ok"}
	})
}

// readiness is the body of ReadyHandler.
type readiness struct {
	Ready       bool        `json:"ready"`
	State       HealthState `json:"state"`
	Reason      string      `json:"reason,omitempty"`
	CheckedAt   time.Time   `json:"checked_at,omitzero"`
	SlotsServed int         `json:"slots_served,omitempty"`
	LostData    time.Time   `json:"lost_data,omitzero"`
	Nodes       []nodeState `json:"nodes"`
}

// nodeState is what the body of ReadyHandler says of a node.
type nodeState struct {
	Addr   string      `json:"addr"`
	Role   string      `json:"role"`
	State  HealthState `json:"state"`
	Reason string      `json:"reason,omitempty"`
}

// ReadyHandler answers whether Redis serves, for /readyz, from the last result of
// the health checker: 200 if it is healthy or degraded; 503 if it is down, if the
// last check is older than about three intervals, or if the checker does not
// run. The JSON body has the state, the reason and the nodes with their
// addresses; it does no I/O.
func (m *Manager) ReadyHandler() http.Handler {
	return jsonHandler(func() (int, any) {
		r := m.readiness(time.Now())
		if r.Ready {
			return http.StatusOK, r
		}
		return http.StatusServiceUnavailable, r
	})
}

func (m *Manager) readiness(now time.Time) readiness {
	s := m.Health()
	r := readiness{
		State: s.State, Reason: s.Reason, CheckedAt: s.CheckedAt,
		SlotsServed: s.SlotsServed, LostData: s.LostData, Nodes: make([]nodeState, len(s.Nodes)),
	}
	for i, n := range s.Nodes {
		r.Nodes[i] = nodeState{Addr: n.Addr, Role: n.Role, State: n.State, Reason: n.Reason}
	}
	interval, age := m.health.pace(), now.Sub(s.CheckedAt)
	switch {
	case m.isClosed.Load():
		r.Reason = "the manager is closed"
	case interval == 0:
		r.Reason = "the health check is not started"
	case s.CheckedAt.IsZero():
		r.Reason = "the first health check has not ended"
	case age > staleAfter(interval):
		r.Reason = fmt.Sprintf("the last health check ended %v ago, the interval is %v", age.Round(time.Millisecond), interval)
	default:
		r.Ready = s.State == Healthy || s.State == Degraded
	}
	return r
}

// jsonHandler answers GET and HEAD with what answer says.
func jsonHandler(answer func() (status int, body any)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			header.Set("Allow", "GET, HEAD")
			writeJSON(w, http.StatusMethodNotAllowed, map[string]string{"error": "only GET and HEAD"})
			return
		}
		status, body := answer()
		writeJSON(w, status, body)
	})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"error":"the answer could not be encoded"}`)
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // whoever asked has gone
}

package cli

import (
	"encoding/json"
	"net/http"
	"sync/atomic"

	"github.com/statelink/statelink/redismanager"
)

// managerHolder holds the manager once there is one.
type managerHolder struct {
	manager atomic.Pointer[redismanager.Manager]
}

func (h *managerHolder) set(m *redismanager.Manager) { h.manager.Store(m) }

// handler answers as the manager does; before there is one with a status and why.
func (h *managerHolder) handler(of func(*redismanager.Manager) http.Handler, before int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m := h.manager.Load(); m != nil {
			of(m).ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(before)
		_ = json.NewEncoder(w).Encode(map[string]string{"state": "unknown", "reason": "not connected to Redis yet"})
	})
}

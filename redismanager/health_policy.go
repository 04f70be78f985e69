package redismanager

import (
	"fmt"
	"strings"
	"time"
)

// HealthPolicy says when the health checker changes its mind. The zero value of
// a field means its default.
type HealthPolicy struct {
	// Fall is how many checks in a row must find a node worse before its state
	// falls, 1 to 100. Default 2.
	Fall int
	// Rise is how many checks in a row must find it better before its state
	// rises, 1 to 100. Default 2.
	Rise int
	// LagBytes is how far a replica may be behind its master before it counts as
	// degraded. Default 16 MiB; -1 for no bound.
	LagBytes int64
	// Latency is how long a node may take to run a script before it counts as
	// degraded, 1 ms to 1 min. Default 500 ms; -1 for no bound.
	Latency time.Duration
	// NoMarker turns the marker keys off. A master that lost its data is then
	// noticed only if it restarted, may be asked for INFO, and has no key at all.
	NoMarker bool
	// MarkerPrefix is what the names of the marker keys begin with, at most 128
	// bytes without braces. Default "sf:".
	MarkerPrefix string
}

const (
	defaultFall         = 2
	defaultRise         = 2
	defaultLagBytes     = 16 << 20
	defaultLatency      = 500 * time.Millisecond
	defaultMarkerPrefix = "sf:"
)

// WithHealthPolicy sets when the health checker changes its mind.
func WithHealthPolicy(p HealthPolicy) Option {
	return func(m *Manager) error {
		if err := p.validate(); err != nil {
			return err
		}
		m.health.policy = p.withDefaults()
		return nil
	}
}

func (p HealthPolicy) withDefaults() HealthPolicy {
	if p.Fall == 0 {
		p.Fall = defaultFall
	}
	if p.Rise == 0 {
		p.Rise = defaultRise
	}
	if p.LagBytes == 0 {
		p.LagBytes = defaultLagBytes
	}
	if p.Latency == 0 {
		p.Latency = defaultLatency
	}
	if p.MarkerPrefix == "" {
		p.MarkerPrefix = defaultMarkerPrefix
	}
	return p
}

func (p HealthPolicy) validate() error {
	const field = "health policy: "
	switch {
	case p.Fall < 0 || p.Fall > 100:
		return &FieldError{Field: field + "Fall", Got: fmt.Sprint(p.Fall), Want: "1 to 100"}
	case p.Rise < 0 || p.Rise > 100:
		return &FieldError{Field: field + "Rise", Got: fmt.Sprint(p.Rise), Want: "1 to 100"}
	case p.LagBytes < -1:
		return &FieldError{Field: field + "LagBytes", Got: fmt.Sprint(p.LagBytes), Want: "at least 1, or -1"}
	case p.Latency != -1 && p.Latency != 0 && (p.Latency < time.Millisecond || p.Latency > time.Minute):
		return &FieldError{Field: field + "Latency", Got: p.Latency.String(), Want: "1ms to 1m, or -1"}
	case len(p.MarkerPrefix) > 128 || strings.ContainsAny(p.MarkerPrefix, "{}"):
		return &FieldError{Field: field + "MarkerPrefix", Got: quoteShort(p.MarkerPrefix), Want: "at most 128 bytes without braces"}
	}
	return nil
}

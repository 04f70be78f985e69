package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// demoReport is the whole demo, as -o json prints it.
type demoReport struct {
	Seed      int64          `json:"seed"`
	Namespace string         `json:"namespace"`
	Redis     string         `json:"redis"` // embedded, or the topology
	Pods      int            `json:"pods"`
	Users     int            `json:"users"`
	Steps     []*stepReport  `json:"steps"`
	Cleanup   *cleanupReport `json:"cleanup"`
	OK        bool           `json:"ok"`
	Seconds   float64        `json:"seconds"`
	Error     string         `json:"error,omitempty"`

	err error // what made it end early, or go wrong
}

type cleanupReport struct {
	Removed int `json:"keys_removed"`
	Left    int `json:"keys_left"`
}

// stepReport is what one step expected and found.
type stepReport struct {
	Number int         `json:"number"`
	Title  string      `json:"title"`
	Notes  []string    `json:"notes,omitempty"`
	Checks []stepCheck `json:"checks"`
	Spread []podSpread `json:"spread,omitempty"`
	Error  string      `json:"error,omitempty"`
	OK     bool        `json:"ok"`
}

type stepCheck struct {
	What     string `json:"what"`
	Expected any    `json:"expected"`
	Found    any    `json:"found"`
	OK       bool   `json:"ok"`
	limit    bool   // Expected is a bound, to be shown also when all is well
}

// podSpread is how many users a pod has by their links, and the load that it
// has reported.
type podSpread struct {
	Pod   int   `json:"pod"`
	Users int   `json:"users"`
	Load  int64 `json:"load"`
	Alive bool  `json:"alive"`
}

func (d *demo) newReport() *demoReport {
	where := "embedded"
	if d.flags.real {
		where = string(d.s.manager.Mode())
	}
	return &demoReport{
		Seed: d.flags.seed, Namespace: d.namespace, Redis: where,
		Pods: len(d.pods), Users: len(d.users), Steps: []*stepReport{},
	}
}

// say adds a sentence to the story.
func (r *stepReport) say(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// equal checks one number or text that was read back.
func (r *stepReport) equal(what string, expected, found any) {
	r.Checks = append(r.Checks, stepCheck{What: what, Expected: expected, Found: found, OK: expected == found})
}

// atMost checks a number against a bound.
func (r *stepReport) atMost(what string, bound, found int) {
	r.verify(what, fmt.Sprintf("at most %d", bound), found, found <= bound)
}

// verify adds a check that the caller has judged.
func (r *stepReport) verify(what, expected string, found any, ok bool) {
	r.Checks = append(r.Checks, stepCheck{What: what, Expected: expected, Found: found, OK: ok, limit: true})
}

func (r *stepReport) finish(err error) {
	r.OK = err == nil
	if err != nil {
		r.Error = oneLine(err)
	}
	for _, c := range r.Checks {
		r.OK = r.OK && c.OK
	}
}

// demoPrinter tells the story to people, while it happens.
type demoPrinter struct {
	w     io.Writer
	quiet bool
	err   error // the first that writing met
}

func (s *demoPrinter) line(format string, args ...any) {
	if s.quiet || s.err != nil {
		return
	}
	_, s.err = fmt.Fprintf(s.w, format+"\n", args...)
}

func (s *demoPrinter) begin(r *demoReport) {
	where := "a " + r.Redis + " Redis"
	if r.Redis == "embedded" {
		where = "a Redis inside this program"
	}
	s.line("Statelink demo on %s: %d pods, %s", where, r.Pods, count(r.Users, "user"))
	s.line("seed %d, namespace %s", r.Seed, r.Namespace)
}

func (s *demoPrinter) step(r *stepReport) {
	s.line("\n%d. %s", r.Number, r.Title)
	for _, note := range r.Notes {
		s.line("   %s", note)
	}
	for _, c := range r.Checks {
		switch {
		case !c.OK:
			s.line("   WRONG  %s: expected %v, found %v", c.What, c.Expected, c.Found)
		case c.limit:
			s.line("   ok     %s: %v (expected %v)", c.What, c.Found, c.Expected)
		default:
			s.line("   ok     %s: %v", c.What, c.Found)
		}
	}
	s.spread(r.Spread)
	if r.Error != "" {
		s.line("   FAILED %s", r.Error)
	}
}

// manyPods is how many a table for people shows.
const manyPods = 16

func (s *demoPrinter) spread(pods []podSpread) {
	if len(pods) == 0 {
		return
	}
	t := columns("          POD", "USERS", "LOAD", "ALIVE")
	for _, pod := range pods[:min(len(pods), manyPods)] {
		t.add("          "+strconv.Itoa(pod.Pod), strconv.Itoa(pod.Users), strconv.FormatInt(pod.Load, 10), yesNo(pod.Alive))
	}
	var b strings.Builder
	_ = t.write(&b) // a Builder takes everything
	s.line("%s", strings.TrimRight(b.String(), "\n"))
	if more := len(pods) - manyPods; more > 0 {
		s.line("          and %s more", count(more, "pod"))
	}
}

func (s *demoPrinter) cleaned(r *demoReport) {
	if r.Cleanup != nil {
		s.line("\nCleaned up: %s removed, %d left", count(r.Cleanup.Removed, "key"), r.Cleanup.Left)
	}
}

func (s *demoPrinter) end(r *demoReport) {
	if r.OK {
		s.line("All %d steps are as expected (%.1f s)", len(r.Steps), r.Seconds)
	}
}

// serviceText lists links by service: "chat on pod 1, room on pod 0".
func serviceText(links map[string]int) string {
	parts := make([]string, 0, len(links))
	for _, service := range slices.Sorted(maps.Keys(links)) {
		parts = append(parts, printable(service)+" on "+podName(links[service]))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

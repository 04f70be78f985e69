package reliability

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// reportVar names the file into which the figures go.
const reportVar = "RELIABILITY_REPORT"

// The runs that a test reports on.
const (
	library = "statelink"
	control = "plain go-redis"
)

// figures collects what a test measures and asserts its bounds. The report is
// written at the end of the test, whatever became of it.
type figures struct {
	t *testing.T
	Report
}

func newFigures(t *testing.T, run string) *figures {
	f := &figures{t: t, Report: Report{Test: t.Name(), Run: run, Passed: true}}
	t.Cleanup(f.write)
	return f
}

func (f *figures) write() {
	for _, one := range f.Figures {
		f.t.Logf("%s: %s %s %s", f.Run, one.Name, one.measured(), one.bound())
	}
	if file := os.Getenv(reportVar); file != "" {
		assert.NoError(f.t, f.Append(file))
	}
}

func (f *figures) add(one Figure) {
	f.t.Helper()
	f.Figures = append(f.Figures, one)
	if !one.Kept() {
		f.Passed = false
		f.t.Errorf("%s: %s is %s, want %s", f.Run, one.Name, one.measured(), one.bound())
	}
}

// count reports a number that has no bound.
func (f *figures) count(name string, n int) {
	f.t.Helper()
	f.add(Figure{Name: name, Value: float64(n)})
}

// exactly reports a number that must be n.
func (f *figures) exactly(name string, n, want int) {
	f.t.Helper()
	bound := float64(want)
	f.add(Figure{Name: name, Value: float64(n), Most: &bound, Least: &bound})
}

func (f *figures) atLeast(name string, n, least int) {
	f.t.Helper()
	bound := float64(least)
	f.add(Figure{Name: name, Value: float64(n), Least: &bound})
}

func (f *figures) atMost(name string, n, most int) {
	f.t.Helper()
	bound := float64(most)
	f.add(Figure{Name: name, Value: float64(n), Most: &bound})
}

// took reports a time that has no bound.
func (f *figures) took(name string, d time.Duration) {
	f.t.Helper()
	f.add(Figure{Name: name, Value: ms(d), Unit: "ms"})
}

func (f *figures) tookAtMost(name string, d, most time.Duration) {
	f.t.Helper()
	bound := ms(most)
	f.add(Figure{Name: name, Value: ms(d), Unit: "ms", Most: &bound})
}

func (f *figures) tookAtLeast(name string, d, least time.Duration) {
	f.t.Helper()
	bound := ms(least)
	f.add(Figure{Name: name, Value: ms(d), Unit: "ms", Least: &bound})
}

// ms is rounded to a tenth, as the figures are read by people.
func ms(d time.Duration) float64 { return float64(d.Round(100*time.Microsecond).Microseconds()) / 1000 }

// load reports how many calls were made, and logs how they failed.
func (f *figures) load(t Tally) {
	f.t.Helper()
	f.count("calls", t.Calls)
	f.took("median call", t.Latency.Quantile(0.5))
	f.took("99th percentile call", t.Latency.Quantile(0.99))
	f.failures(t)
}

// failures logs one failure of each class.
func (f *figures) failures(t Tally) {
	f.t.Helper()
	for class, n := range t.Classes {
		f.t.Logf("%s: %d calls failed as %s, such as: %v", f.Run, n, class, t.Examples[class])
	}
}

// window reports the failures of one fault.
func (f *figures) window(t Tally, fault time.Time) {
	f.t.Helper()
	f.count("failed calls", t.Failed())
	f.took("last failure after the fault", t.After(fault))
}

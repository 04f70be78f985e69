package reliability

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
)

// Report is what one test measured in one run. It is one line of JSON.
type Report struct {
	Test    string   `json:"test"` // name of the Go test: go test -run '^Test$'
	Run     string   `json:"run"`  // who was under test: statelink, or the control
	Passed  bool     `json:"passed"`
	Figures []Figure `json:"figures"`
}

// Figure is one number with its bound.
type Figure struct {
	Name  string   `json:"name"`
	Value float64  `json:"value"`
	Unit  string   `json:"unit,omitempty"`
	Most  *float64 `json:"most,omitempty"`  // it must not be above
	Least *float64 `json:"least,omitempty"` // it must not be below
}

// Append adds the report to a file, one line each.
func (r Report) Append(file string) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// ReadReports reads lines as [Report.Append] writes them.
func ReadReports(from io.Reader) ([]Report, error) {
	var reports []Report
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		var r Report
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(reports)+1, err)
		}
		reports = append(reports, r)
	}
	return reports, lines.Err()
}

// WriteTable prints the reports as a table in Markdown, in their order.
func WriteTable(to io.Writer, reports []Report) error {
	if _, err := fmt.Fprint(to, "| test | run | figure | bound | measured |\n|---|---|---|---|---|\n"); err != nil {
		return err
	}
	for _, r := range lastOfEach(reports) {
		for _, f := range r.Figures {
			if _, err := fmt.Fprintf(to, "| `%s` | %s | %s | %s | %s |\n", r.Test, r.Run, f.Name, f.bound(), f.measured()); err != nil {
				return err
			}
		}
	}
	return nil
}

// lastOfEach keeps the last report of each test and run.
func lastOfEach(reports []Report) []Report {
	var kept []Report
	for i, r := range reports {
		again := slices.ContainsFunc(reports[i+1:], func(o Report) bool { return o.Test == r.Test && o.Run == r.Run })
		if !again {
			kept = append(kept, r)
		}
	}
	return kept
}

func (f Figure) bound() string {
	switch {
	case f.Most != nil && f.Least != nil && *f.Most == *f.Least:
		return number(*f.Most) + f.unit()
	case f.Most != nil:
		return "at most " + number(*f.Most) + f.unit()
	case f.Least != nil:
		return "at least " + number(*f.Least) + f.unit()
	default:
		return ""
	}
}

// measured is set in bold where the bound is not kept.
func (f Figure) measured() string {
	text := number(f.Value) + f.unit()
	if f.Kept() {
		return text
	}
	return "**" + text + "**"
}

// Kept reports whether the figure is within its bounds.
func (f Figure) Kept() bool {
	return (f.Most == nil || f.Value <= *f.Most) && (f.Least == nil || f.Value >= *f.Least)
}

func (f Figure) unit() string {
	if f.Unit == "" {
		return ""
	}
	return " " + f.Unit
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

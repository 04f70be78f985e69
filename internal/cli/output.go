package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// table is what a command prints for people. Cells are shown as they are, so
// what others have stored goes through printable first.
type table struct {
	header []string
	rows   [][]string
}

func columns(header ...string) *table { return &table{header: header} }

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write aligns the columns with spaces and ends no line with one.
func (t *table) write(w io.Writer) error {
	var b strings.Builder
	aligned := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{t.header}, t.rows...) {
		_, _ = fmt.Fprintln(aligned, strings.Join(row, "\t"))
	}
	_ = aligned.Flush() // a Builder takes everything
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// print gives the data in the form that the user wants: one JSON document, or
// a table.
func (p *program) print(document any, t *table) error {
	if p.flags.output == formatJSON {
		return p.printJSON(document)
	}
	return t.write(p.out)
}

func (p *program) printJSON(document any) error {
	encoder := json.NewEncoder(p.out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(document)
}

// printable quotes what would break a line or steer a terminal, and shows an
// empty text as "".
func printable(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

const nothing = "-" // an empty cell

// podCell shows a pod index, nil for none.
func podCell(pod *int) string {
	if pod == nil {
		return nothing
	}
	return strconv.Itoa(*pod)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// short rounds a duration to what a person reads: 1m30s, 2.1s, 350ms.
func short(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(10 * time.Microsecond).String()
	}
}

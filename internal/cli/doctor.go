package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// grade says how a finding is.
type grade string

const (
	gradeOK   grade = "ok"
	gradeWarn grade = "warn"
	gradeFail grade = "fail"
)

// The words of the table, and the exit code of a report whose worst finding it is.
var grades = map[grade]struct {
	word string
	code int
}{gradeOK: {"OK", 0}, gradeWarn: {"WARN", 1}, gradeFail: {"FAIL", 2}}

// finding is the answer to one question about the deployment.
type finding struct {
	Name   string `json:"name"`
	Status grade  `json:"status"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy"` // empty when all is well
}

func fine(name, format string, args ...any) finding {
	return finding{Name: name, Status: gradeOK, Detail: fmt.Sprintf(format, args...)}
}

func warning(name, detail, remedy string) finding {
	return finding{Name: name, Status: gradeWarn, Detail: detail, Remedy: remedy}
}

func failure(name, detail, remedy string) finding {
	return finding{Name: name, Status: gradeFail, Detail: detail, Remedy: remedy}
}

type diagnosis struct {
	Status grade     `json:"status"`
	Checks []finding `json:"checks"`
}

const doctorLong = `Looks at the Redis deployment as Statelink needs it: can it be reached, does it
run scripts, does it keep links, is it safe. It changes nothing.

WARN: works, but links can get lost or read by others, or the user may not look.
FAIL: does not work, or will throw links away.

Exit code: 0 all OK, 1 any WARN, 2 any FAIL.`

func (p *program) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "doctor",
		Short:   "Diagnose the Redis deployment and say what to do about it",
		Long:    doctorLong,
		Example: "  statelink doctor\n  statelink doctor --redis redis+sentinel://h1,h2/mymaster -o json",
		Args:    exactArgs(""),
		RunE:    p.action(p.doctor),
	}
}

func (p *program) doctor(ctx context.Context, _ []string) error {
	report := diagnosis{Status: gradeOK, Checks: p.diagnose(ctx)}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, f := range report.Checks {
		if grades[f.Status].code > grades[report.Status].code {
			report.Status = f.Status
		}
	}
	if err := p.printDiagnosis(report); err != nil {
		return err
	}
	if code := grades[report.Status].code; code != 0 {
		return status(code)
	}
	return nil
}

// diagnose goes as far as it gets: without a connection there is one finding.
func (p *program) diagnose(ctx context.Context) []finding {
	cfg, err := p.loadConfig()
	if err != nil {
		return []finding{failure("configuration", oneLine(err), "Correct the setting; 'statelink config env' lists them.")}
	}
	ctx, cancel := p.bounded(ctx)
	defer cancel()
	s, err := p.connect(ctx, cfg)
	if err != nil {
		return []finding{notConnected(err)}
	}
	defer func() { _ = s.close() }()
	return examine(ctx, s).findings(p.slow)
}

func (p *program) printDiagnosis(report diagnosis) error {
	if p.flags.output == formatJSON {
		return p.printJSON(report)
	}
	t := columns("STATUS", "CHECK", "DETAIL")
	counts := map[grade]int{}
	for _, f := range report.Checks {
		counts[f.Status]++
		t.add(grades[f.Status].word, f.Name, f.Detail)
		if f.Remedy != "" {
			t.add("", "", "-> "+f.Remedy)
		}
	}
	if err := t.write(p.out); err != nil {
		return err
	}
	_, err := io.WriteString(p.out, fmt.Sprintf("\n%d OK, %s, %s\n", counts[gradeOK],
		count(counts[gradeWarn], "warning"), count(counts[gradeFail], "failure")))
	return err
}

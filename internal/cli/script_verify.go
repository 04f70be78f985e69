package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/statelink/statelink/redismanager"
)

func (p *program) scriptVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Check that every master holds every script",
		Long: `Asks every master which of the scripts it holds. It loads none: the exit code is
1 if any is missing. A missing script is no failure of the service, whose first
call of it loads it, if its user may do that.`,
		Example: "  statelink script verify\n  statelink script verify -o json",
		Args:    exactArgs(""),
		RunE:    p.action(p.scriptVerify),
	}
}

type verifyView struct {
	OK      bool           `json:"ok"`
	Masters []string       `json:"masters"`
	Scripts []presenceView `json:"scripts"`
}

type presenceView struct {
	Name    string   `json:"name"`
	SHA     string   `json:"sha"`
	Version int      `json:"version"`
	Missing []string `json:"missing_on"`
}

func (p *program) scriptVerify(ctx context.Context, _ []string) error {
	var view verifyView
	err := p.withRedis(ctx, func(ctx context.Context, s *session) (err error) {
		view, err = verifyScripts(ctx, s.manager)
		return err
	})
	if err != nil {
		return err
	}
	t := columns("SCRIPT", "SHA", "VERSION", "MISSING ON")
	for _, s := range view.Scripts {
		missing := nothing
		if len(s.Missing) > 0 {
			missing = strings.Join(s.Missing, ", ")
		}
		t.add(s.Name, s.SHA, strconv.Itoa(s.Version), missing)
	}
	if err := p.print(view, t); err != nil || view.OK {
		return err
	}
	return fmt.Errorf("%s missing on at least one master", isOrAre(view.missing(), "script"))
}

func verifyScripts(ctx context.Context, m *redismanager.Manager) (verifyView, error) {
	rows, masters, err := m.VerifyScripts(ctx)
	if err != nil {
		return verifyView{}, err
	}
	slices.Sort(masters)
	view := verifyView{OK: true, Masters: masters}
	for _, row := range rows {
		missing := append([]string{}, row.Missing...)
		slices.Sort(missing)
		view.OK = view.OK && len(missing) == 0
		view.Scripts = append(view.Scripts, presenceView{row.Name, row.SHA, row.Version, missing})
	}
	return view, nil
}

// missing counts the scripts that some master lacks.
func (v verifyView) missing() int {
	n := 0
	for _, s := range v.Scripts {
		if len(s.Missing) > 0 {
			n++
		}
	}
	return n
}

func isOrAre(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return fmt.Sprintf("%d %ss are", n, noun)
}

package metrics

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// targetLabels are added by Prometheus to what it scrapes.
var targetLabels = []string{"job", "instance"}

// exported gives the labels of each series name that a scrape has, histograms
// under the names of their parts.
func exported(tb testing.TB) map[string][]string {
	tb.Helper()
	found := map[string][]string{}
	for _, m := range catalogue(tb) {
		labels := slices.Concat(m.labels, targetLabels)
		if m.kind != "histogram" {
			found[m.name] = labels
			continue
		}
		found[m.name+"_bucket"] = append(slices.Clone(labels), "le")
		found[m.name+"_sum"], found[m.name+"_count"] = labels, labels
	}
	return found
}

// checkQuery reports what an expression uses and a scrape does not have. It
// notes the metrics that are used.
func checkQuery(known map[string][]string, expr string, used map[string]bool) (query, error) {
	q, err := parseQuery(expr)
	if err != nil {
		return q, fmt.Errorf("%w in %s", err, expr)
	}
	var all []string
	for _, s := range q.selectors {
		labels, ok := known[s.metric]
		if !ok {
			return q, fmt.Errorf("no metric %s in %s", s.metric, expr)
		}
		for _, l := range s.labels {
			if !slices.Contains(labels, l) {
				return q, fmt.Errorf("%s has no label %s in %s", s.metric, l, expr)
			}
		}
		used[strings.TrimSuffix(s.metric, "_bucket")] = true
		all = append(all, labels...)
	}
	for _, l := range q.grouping {
		if !slices.Contains(all, l) {
			return q, fmt.Errorf("no metric has the label %s in %s", l, expr)
		}
	}
	return q, nil
}

// TestCheckQueryCanFail holds the checker against wrong expressions.
func TestCheckQueryCanFail(t *testing.T) {
	for _, wrong := range []string{
		`statelink_nothing`, `statelink_operations_total{node="a"}`, `sum by (node) (statelink_operations_total)`,
		`statelink_operation_duration_seconds`, `statelink_operations_total{le="1"}`, `sum(`,
	} {
		_, err := checkQuery(exported(t), wrong, map[string]bool{})
		require.Error(t, err, wrong)
	}
}

type alertRule struct {
	Alert       string
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

var templateLabel = regexp.MustCompile(`\$labels\.(\w+)`)

// TestAlerts checks that each rule can fire and says what to do.
func TestAlerts(t *testing.T) {
	text, err := os.ReadFile("../deploy/prometheus/alerts.yml")
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Name  string
			Rules []alertRule
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&file))
	known, names := exported(t), map[string]bool{}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			require.False(t, names[rule.Alert], "%s is there twice", rule.Alert)
			names[rule.Alert] = true
			checkRule(t, known, rule)
		}
	}
	require.GreaterOrEqual(t, len(names), 10)
	readme, err := os.ReadFile("../deploy/README.md")
	require.NoError(t, err)
	for name := range names {
		require.Contains(t, string(readme), "`"+name+"`")
	}
}

func checkRule(t *testing.T, known map[string][]string, rule alertRule) {
	t.Helper()
	q, err := checkQuery(known, rule.Expr, map[string]bool{})
	require.NoError(t, err, rule.Alert)
	_, err = time.ParseDuration(rule.For)
	require.NoError(t, err, rule.Alert)
	require.Contains(t, []string{"critical", "warning"}, rule.Labels["severity"], rule.Alert)
	for _, key := range []string{"summary", "description", "runbook"} {
		words := rule.Annotations[key]
		require.NotEmpty(t, words, "%s: %s", rule.Alert, key)
		require.Equal(t, strings.Count(words, "{{"), strings.Count(words, "}}"), "%s: %s", rule.Alert, key)
		for _, match := range templateLabel.FindAllStringSubmatch(words, -1) {
			require.Contains(t, q.kept, match[1], "%s: %s uses a label that the expression drops", rule.Alert, key)
		}
	}
}

// board is the part of a dashboard that the check is about.
type board struct {
	Panels []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr, LegendFormat string }
	}
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
	Annotations struct{ List []struct{ Expr string } }
}

var (
	legendLabel = regexp.MustCompile(`\{\{(\w+)\}\}`)
	variable    = regexp.MustCompile(`\$(\w+)`)
)

// TestDashboard checks every query of the dashboard, and that it shows every
// metric that there is.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("../deploy/grafana/statelink.json")
	require.NoError(t, err)
	var b board
	require.NoError(t, json.Unmarshal(text, &b))
	known, used, ids := exported(t), map[string]bool{}, map[int]bool{}
	variables := []string{"__rate_interval"}
	for _, v := range b.Templating.List {
		variables = append(variables, v.Name)
		if v.Type == "query" {
			_, err := checkQuery(known, v.Definition, used)
			require.NoError(t, err, v.Name)
		}
	}
	for _, a := range b.Annotations.List {
		_, err := checkQuery(known, a.Expr, used)
		require.NoError(t, err)
	}
	for _, p := range b.Panels {
		require.False(t, ids[p.ID], "panel %d is there twice", p.ID)
		ids[p.ID] = true
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		require.Equal(t, p.Type == "row", len(p.Targets) == 0, p.Title)
		for _, target := range p.Targets {
			q, err := checkQuery(known, target.Expr, used)
			require.NoError(t, err, p.Title)
			for _, match := range legendLabel.FindAllStringSubmatch(target.LegendFormat, -1) {
				require.Contains(t, q.kept, match[1], "%s: the legend uses a label that the query drops", p.Title)
			}
			for _, match := range variable.FindAllStringSubmatch(target.Expr, -1) {
				require.Contains(t, variables, match[1], p.Title)
			}
		}
	}
	for _, m := range catalogue(t) {
		require.True(t, used[m.name], "no panel shows %s", m.name)
	}
}

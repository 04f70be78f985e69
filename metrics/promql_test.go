package metrics

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// query is what the checks need to know of a PromQL expression.
type query struct {
	selectors []selector
	grouping  []string // labels named by by, without, on, ignoring and group_left
	kept      []string // labels named by by
}

type selector struct {
	metric string
	labels []string
}

// tokens of PromQL: strings, names, durations and numbers, operators, and the
// variables of Grafana.
var token = regexp.MustCompile(`^(?:"(?:[^"\\]|\\.)*"|\$\{?[a-zA-Z_]\w*\}?|[a-zA-Z_:][\w:]*|[0-9][0-9a-zA-Z_.]*|=~|!~|!=|==|>=|<=|[-+*/%^<>=(){}\[\],@])`)

var promFunctions = strings.Fields(`avg count max min sum topk rate increase changes histogram_quantile min_over_time max_over_time
	label_values round time vector`)

var promWords = strings.Fields("and or unless bool offset")

var promGroupings = strings.Fields("by without on ignoring group_left group_right")

// parser walks over the tokens of one expression.
type parser struct {
	tokens []string
	at     int
	query  query
}

// parseQuery reads an expression, as far as names of metrics and labels go. It
// refuses what it does not know.
func parseQuery(expr string) (query, error) {
	p := &parser{}
	for rest := strings.TrimSpace(expr); rest != ""; rest = strings.TrimSpace(rest) {
		found := token.FindString(rest)
		if found == "" {
			return query{}, fmt.Errorf("cannot read %q", rest)
		}
		p.tokens = append(p.tokens, found)
		rest = rest[len(found):]
	}
	if err := balanced(p.tokens); err != nil {
		return query{}, err
	}
	for p.at < len(p.tokens) {
		if err := p.step(); err != nil {
			return query{}, err
		}
	}
	return p.query, nil
}

func balanced(tokens []string) error {
	var open []string
	closes := map[string]string{")": "(", "}": "{", "]": "["}
	for _, t := range tokens {
		switch t {
		case "(", "{", "[":
			open = append(open, t)
		case ")", "}", "]":
			if len(open) == 0 || open[len(open)-1] != closes[t] {
				return fmt.Errorf("%q closes nothing", t)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("%q is not closed", open[len(open)-1])
	}
	return nil
}

func (p *parser) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return ""
}

func (p *parser) next() string {
	t := p.peek()
	p.at++
	return t
}

var isName = regexp.MustCompile(`^[a-zA-Z_:][\w:]*$`).MatchString

// step reads one thing: a grouping, a function, a selector or an operator.
func (p *parser) step() error {
	t := p.next()
	switch {
	case t == "{":
		return fmt.Errorf("a selector without a metric")
	case !isName(t) || slices.Contains(promWords, t):
		return nil
	case slices.Contains(promGroupings, t):
		labels, err := p.labelList()
		p.query.grouping = append(p.query.grouping, labels...)
		if t == "by" {
			p.query.kept = append(p.query.kept, labels...)
		}
		return err
	case slices.Contains(promFunctions, t) && (p.peek() == "(" || p.peek() == "by" || p.peek() == "without"):
		return nil
	case !strings.HasPrefix(t, prefix):
		return p.labelArgument(t)
	default:
		return p.selector(t)
	}
}

// labelArgument is the label that Grafana's label_values ends with.
func (p *parser) labelArgument(t string) error {
	if p.tokens[0] != "label_values" || p.peek() != ")" {
		return fmt.Errorf("%s is no metric of ours and no known function", t)
	}
	p.query.grouping = append(p.query.grouping, t)
	return nil
}

func (p *parser) labelList() ([]string, error) {
	var labels []string
	if p.next() != "(" {
		return nil, fmt.Errorf("a grouping without labels")
	}
	for {
		switch t := p.next(); {
		case t == ")":
			return labels, nil
		case t == ",":
		case isName(t):
			labels = append(labels, t)
		default:
			return nil, fmt.Errorf("%q in a list of labels", t)
		}
	}
}

// selector reads the matchers of a metric.
func (p *parser) selector(name string) error {
	s := selector{metric: name}
	if p.peek() == "{" {
		p.next()
		for p.peek() != "}" {
			label, op, value := p.next(), p.next(), p.next()
			if !isName(label) || !slices.Contains([]string{"=", "!=", "=~", "!~"}, op) || !strings.HasPrefix(value, `"`) {
				return fmt.Errorf("matcher %s %s %s of %s", label, op, value, name)
			}
			s.labels = append(s.labels, label)
			if p.peek() == "," {
				p.next()
			}
		}
		p.next()
	}
	p.query.selectors = append(p.query.selectors, s)
	return nil
}

func TestParseQuery(t *testing.T) {
	q, err := parseQuery(`histogram_quantile(0.99, sum by (job, le) (rate(statelink_a_bucket{class!~"ok|b", job="$job"}[5m]))) > 1e-3 and on (job) statelink_b offset 5m`)
	require.NoError(t, err)
	require.Equal(t, query{
		selectors: []selector{{"statelink_a_bucket", []string{"class", "job"}}, {"statelink_b", nil}},
		grouping:  []string{"job", "le", "job"}, kept: []string{"job", "le"},
	}, q)
	q, err = parseQuery(`label_values(statelink_a{x="y"}, node)`)
	require.NoError(t, err)
	require.Equal(t, query{selectors: []selector{{"statelink_a", []string{"x"}}}, grouping: []string{"node"}}, q)
	for _, wrong := range []string{
		`sum(statelink_a`, `sum statelink_a)`, `up`, `frate(statelink_a[5m])`, `statelink_a{x=y}`, `statelink_a{x}`, `{x="y"}`, `sum by job (statelink_a)`, `statelink_a ; 1`,
	} {
		_, err := parseQuery(wrong)
		require.Error(t, err, wrong)
	}
}

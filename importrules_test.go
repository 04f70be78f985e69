package statelink_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/statelink/statelink"

// importRule says what the code of one package, without its tests, may use.
type importRule struct {
	pkg    string   // below the module path; "." is the root
	own    []string // packages of this module that it may import
	forbid []string // import paths, with all below them, that it may not even reach through others
}

// Every package of the module has its row, and every row its package.
// The arrows point down only: a package is imported by rows above it.
var importRules = []importRule{
	{"cmd/statelink", []string{"internal/cli"}, testOnly},
	{"internal/cli", []string{".", "redisconfig", "redismanager", "scripts", "embedded"}, testOnly},
	{"examples/logrus", []string{".", "embedded", "redismanager"}, except(heavy, miniredis, logrus)},
	{"examples/monitoring", []string{".", "embedded", "metrics", "redismanager", "tracing"}, except(heavy, miniredis, prometheus, otel)},
	{"metrics", []string{".", "redismanager"}, except(heavy, prometheus)},
	{"tracing", []string{".", "redismanager"}, except(heavy, otel)},
	{".", []string{"redismanager", "scripts"}, except(heavy)},
	{"redisconfig", []string{"redismanager"}, except(heavy, viper, pflag)},
	{"redismanager", nil, except(heavy)},
	{"scripts", nil, except(heavy)},
	{"embedded", nil, except(heavy, miniredis)},
	{"internal/reliability", []string{".", "redismanager"}, except(heavy)},
	{"internal/reliability/table", []string{"internal/reliability"}, except(heavy)},
	{"internal/redistest", nil, except(heavy, testOnly...)},
}

const (
	logrus     = "github.com/sirupsen/logrus"
	miniredis  = "github.com/alicebob/miniredis"
	otel       = "go.opentelemetry.io"
	pflag      = "github.com/spf13/pflag"
	prometheus = "github.com/prometheus"
	viper      = "github.com/spf13/viper"
)

// testOnly is for tests, or for the comparison in bench, which is a module of its own.
var testOnly = []string{
	"github.com/Shopify/toxiproxy",
	"github.com/anishathalye/porcupine",
	"github.com/gomodule/redigo",
	"github.com/redis/rueidis",
	"github.com/stretchr/testify",
	"go.uber.org/goleak",
	"pgregory.net/rapid",
}

// heavy is what a user of the library must not compile unless they ask for it.
var heavy = append([]string{
	logrus,
	miniredis,
	otel,
	pflag,
	prometheus,
	viper,
	"github.com/spf13/cobra",
	"google.golang.org/grpc",
}, testOnly...)

func except(list []string, allowed ...string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(allowed, s) })
}

// goPackage is the part of go list's answer that the rules are about. Tests are not in it.
type goPackage struct {
	ImportPath string
	Dir        string
	Imports    []string // imported directly
	Deps       []string // reached, through others too
}

func TestImportRules(t *testing.T) {
	pkgs := listPackages(t)
	for _, rule := range importRules {
		for _, v := range rule.violations(pkgs) {
			t.Error(v)
		}
	}
	for _, v := range withoutRule(pkgs, importRules) {
		t.Error(v)
	}
}

// TestImportRulesCanFail holds the checker against rules that the code does break.
func TestImportRulesCanFail(t *testing.T) {
	pkgs := listPackages(t)
	for name, tc := range map[string]struct {
		rule importRule
		want string
	}{
		"direct":         {importRule{pkg: "redismanager", forbid: []string{"github.com/redis/go-redis"}}, "redismanager reaches github.com/redis/go-redis/v9"},
		"through others": {importRule{pkg: "cmd/statelink", own: []string{"internal/cli"}, forbid: []string{"github.com/redis/go-redis"}}, "cmd/statelink reaches github.com/redis/go-redis/v9"},
		"own package":    {importRule{pkg: ".", own: []string{"scripts"}}, ". imports redismanager"},
		"no such":        {importRule{pkg: "nosuchpackage"}, "nosuchpackage does not exist"},
	} {
		if got := tc.rule.violations(pkgs); !slices.Contains(got, tc.want) {
			t.Errorf("%s: got %q, want %q among them", name, got, tc.want)
		}
	}
	if got := withoutRule(pkgs, nil); len(got) != len(pkgs) {
		t.Errorf("without any rule: %d complaints about %d packages", len(got), len(pkgs))
	}
}

func (r importRule) violations(pkgs map[string]goPackage) []string {
	p, ok := pkgs[r.pkg]
	if !ok {
		return []string{r.pkg + " does not exist"}
	}
	var found []string
	for _, imp := range p.Imports {
		if own, ok := ownPath(imp); ok && !slices.Contains(r.own, own) {
			found = append(found, fmt.Sprintf("%s imports %s", r.pkg, own))
		}
	}
	for _, dep := range p.Deps {
		if slices.ContainsFunc(r.forbid, func(f string) bool { return within(dep, f) }) {
			found = append(found, fmt.Sprintf("%s reaches %s", r.pkg, dep))
		}
	}
	return found
}

func withoutRule(pkgs map[string]goPackage, rules []importRule) []string {
	var found []string
	for pkg := range pkgs {
		if !slices.ContainsFunc(rules, func(r importRule) bool { return r.pkg == pkg }) {
			found = append(found, pkg+" has no import rule: give it a row")
		}
	}
	return found
}

// within reports whether path is dir or below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}

// ownPath gives the path below the module; ok is false for packages of others.
func ownPath(importPath string) (path string, ok bool) {
	if importPath == modulePath {
		return ".", true
	}
	return strings.CutPrefix(importPath, modulePath+"/")
}

func listPackages(t *testing.T) map[string]goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,Deps", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	pkgs := map[string]goPackage{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		// Lets the test cache see the folder: without it a cached pass would
		// outlive a change in a package that this test does not import.
		if _, err := os.ReadDir(p.Dir); err != nil {
			t.Fatal(err)
		}
		path, ok := ownPath(p.ImportPath)
		if !ok {
			t.Fatalf("%s is not of this module", p.ImportPath)
		}
		pkgs[path] = p
	}
}

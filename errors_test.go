package statelink_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/redismanager"
)

// classified is an error with the class that it must have.
type classified struct {
	err       error
	class     redismanager.Class
	retryable bool
}

var classes = []classified{
	{nil, redismanager.ClassOK, false},
	{errors.New("something else"), redismanager.ClassOther, false},
	{context.Canceled, redismanager.ClassCanceled, false},
	{context.DeadlineExceeded, redismanager.ClassTimeout, true},
	{statelink.ErrInvalidArgument, redismanager.ClassInvalidArgument, false},
	{&redismanager.FieldError{Field: "uid"}, redismanager.ClassInvalidArgument, false},
	{statelink.ErrClosed, redismanager.ClassClosed, false},
	{statelink.ErrUnavailable, redismanager.ClassUnavailable, true},
	{statelink.ErrWrongTopology, redismanager.ClassWrongTopology, false},
	{statelink.ErrPoolExhausted, redismanager.ClassPoolExhausted, true},
	{&redismanager.PoolExhaustedError{Cause: context.DeadlineExceeded}, redismanager.ClassPoolExhausted, true},
	{statelink.ErrTimeout, redismanager.ClassTimeout, true},
	{statelink.ErrReadOnly, redismanager.ClassReadOnly, true},
	{statelink.ErrAuth, redismanager.ClassAuth, false},
	{statelink.ErrOutOfMemory, redismanager.ClassOutOfMemory, false},
	{statelink.ErrBusyScript, redismanager.ClassBusyScript, true},
	{statelink.ErrCrossSlot, redismanager.ClassCrossSlot, false},
	{&redismanager.CrossSlotError{}, redismanager.ClassCrossSlot, false},
	{statelink.ErrScriptCompile, redismanager.ClassScriptCompile, false},
	{&redismanager.ScriptError{Class: statelink.ErrScriptCompile}, redismanager.ClassScriptCompile, false},
	{statelink.ErrScriptRuntime, redismanager.ClassScriptRuntime, false},
	{&redismanager.ScriptError{Class: statelink.ErrScriptRuntime}, redismanager.ClassScriptRuntime, false},
	{statelink.ErrScriptUnknown, redismanager.ClassScriptUnknown, false},
	{&redismanager.ScriptError{Class: statelink.ErrScriptUnknown}, redismanager.ClassScriptUnknown, false},
	{statelink.ErrScriptVersion, redismanager.ClassScriptVersion, false},
	{statelink.ErrScriptUpdatesOff, redismanager.ClassScriptsOff, false},
	{statelink.ErrNotDurable, redismanager.ClassNotDurable, false},
	{statelink.ErrOutcomeUnknown, redismanager.ClassOutcomeUnknown, false},
	{statelink.ErrWrongType, redismanager.ClassWrongType, false},
	{statelink.ErrMalformedData, redismanager.ClassMalformedData, false},
	{statelink.ErrNoRoutingKey, redismanager.ClassNoRoutingKey, false},
	{statelink.ErrNoReadyPod, statelink.ClassNoReadyPod, true},
	{statelink.ErrContended, statelink.ClassContended, true},

	// Of several classes the caller is told the one that matters most.
	{fmt.Errorf("%w: %w", statelink.ErrOutcomeUnknown, context.DeadlineExceeded), redismanager.ClassOutcomeUnknown, false},
	{fmt.Errorf("%w: %w", statelink.ErrOutcomeUnknown, statelink.ErrUnavailable), redismanager.ClassOutcomeUnknown, false},
	{fmt.Errorf("%w: %w", statelink.ErrTimeout, context.Canceled), redismanager.ClassCanceled, false},
	{&redismanager.ScriptError{Class: statelink.ErrScriptRuntime, Cause: statelink.ErrWrongType}, redismanager.ClassWrongType, false},
	{errors.Join(statelink.ErrUnavailable, statelink.ErrAuth), redismanager.ClassAuth, false},
	{fmt.Errorf("%w: %w", statelink.ErrUnavailable, context.DeadlineExceeded), redismanager.ClassUnavailable, true},
	{&redismanager.ScriptError{Class: statelink.ErrScriptUnknown, Cause: statelink.ErrAuth}, redismanager.ClassScriptUnknown, false},
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for _, want := range classes {
		forms := []error{want.err}
		if want.err != nil {
			forms = append(forms, fmt.Errorf("get link of uid %q: %w", "alice", want.err),
				fmt.Errorf("outer: %w", fmt.Errorf("inner: %w", want.err)), errors.Join(errors.New("beside it"), want.err))
		}
		for _, err := range forms {
			require.Equal(t, want.class, statelink.Classify(err), "%v", err)
			require.Equal(t, want.retryable, statelink.Retryable(err), "%v", err)
		}
	}
}

// TestEveryClassIsTested reads from the source which classes and errors there
// are: a new one has to get its row above, and its name in this package.
func TestEveryClassIsTested(t *testing.T) {
	t.Parallel()
	tested := map[redismanager.Class]bool{}
	for _, row := range classes {
		tested[row.class] = true
	}
	constants := declared(t, "redismanager/classify.go", token.CONST, "Class")
	require.Contains(t, constants, "ClassOutcomeUnknown")
	require.Len(t, tested, len(constants)+2, "those of redismanager and two of this package")

	theirs := declared(t, "redismanager/errors.go", token.VAR, "Err")
	ours := declared(t, "errors.go", token.VAR, "Err")
	require.Contains(t, theirs, "ErrOutcomeUnknown")
	require.ElementsMatch(t, append(theirs, "ErrNoReadyPod", "ErrContended"), ours)
}

// declared lists the package-level names in a file that begin with a prefix.
func declared(t *testing.T, file string, kind token.Token, prefix string) (names []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	for _, decl := range parsed.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != kind {
			continue
		}
		for _, spec := range group.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				if strings.HasPrefix(name.Name, prefix) {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}

func TestClassesAreStableCodes(t *testing.T) {
	t.Parallel()
	var codes []redismanager.Class
	for _, row := range classes {
		require.Regexp(t, `^[a-z]+(_[a-z]+)*$`, string(row.class))
		if !slices.Contains(codes, row.class) {
			codes = append(codes, row.class)
		}
	}
	require.Equal(t, []redismanager.Class{
		"ok", "other", "canceled", "timeout", "invalid_argument", "closed", "unavailable", "wrong_topology", "pool_exhausted",
		"read_only", "auth", "out_of_memory", "busy_script", "cross_slot", "script_compile", "script_runtime", "script_unknown",
		"script_version", "script_updates_off", "not_durable", "outcome_unknown", "wrong_type", "malformed_data", "no_routing_key", "no_ready_pod", "contended",
	}, codes, "dashboards and alarms are built on these words")
}

// TestEndedContext: a call whose context has ended does nothing, and says so.
func TestEndedContext(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, s *stage) {
		canceled, cancel := context.WithCancel(s.ctx)
		cancel()
		late, cancelLate := context.WithTimeout(s.ctx, -1)
		defer cancelLate()
		for _, m := range methods {
			err := m.call(canceled, s.Executor, validParams(s.ns))
			require.ErrorIs(t, err, context.Canceled, m.name)
			require.NotErrorIs(t, err, statelink.ErrOutcomeUnknown, m.name)
			require.Equal(t, redismanager.ClassCanceled, statelink.Classify(err), m.name)

			err = m.call(late, s.Executor, validParams(s.ns))
			require.ErrorIs(t, err, context.DeadlineExceeded, m.name)
			require.NotErrorIs(t, err, statelink.ErrOutcomeUnknown, m.name)
			require.Equal(t, redismanager.ClassTimeout, statelink.Classify(err), m.name)
			require.True(t, statelink.Retryable(err), m.name)
		}
		require.Empty(t, s.stored(t))
	})
}

// TestErrorsSayAboutWhom: a failure names the user and the service.
func TestErrorsSayAboutWhom(t *testing.T) {
	t.Parallel()
	exec := backendNamed(t, "embedded").ownExecutor(t, nil)
	require.NoError(t, exec.Close())
	for _, m := range methods {
		err := m.call(t.Context(), exec, validParams("default"))
		switch {
		case strings.HasSuffix(m.name, "Batch") || m.name == "BatchGetLinkedPod":
			require.ErrorContains(t, err, "3 ", m.name)
		case m.name == "GetLinkService":
			require.ErrorContains(t, err, `uid "alice"`, m.name)
		case m.keys == "link":
			require.ErrorContains(t, err, `uid "alice"`, m.name)
			require.ErrorContains(t, err, "service chat", m.name)
		default:
			require.ErrorContains(t, err, "service chat", m.name)
		}
	}
}

package redismanager_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// memberEnv makes the test binary a process of a fleet.
const memberEnv = "REDISMANAGER_TEST_FLEET_MEMBER"

// memberConfig is what such a process is told.
type memberConfig struct {
	Mode  redismanager.Mode
	Addr  string
	Addrs []string
	Key   string
	Name  string
	Off   bool // WithoutScriptUpdates
}

func (c memberConfig) redis() redismanager.RedisConfig {
	return redismanager.RedisConfig{Mode: c.Mode, Addr: c.Addr, Addrs: c.Addrs}
}

// fleetMember is the main function of such a process: it calls the script
// "saying" over and over and prints each new word, until its input ends. It
// reports false in the process that runs the tests.
func fleetMember() bool {
	text := os.Getenv(memberEnv)
	if text == "" {
		return false
	}
	if err := runMember(text); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	return true
}

func runMember(text string) error {
	var c memberConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	opts := []redismanager.Option{redismanager.WithLogger(quiet), redismanager.WithScripts(saying("embedded"))}
	if c.Off {
		opts = append(opts, redismanager.WithoutScriptUpdates())
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m, err := redismanager.New(ctx, c.redis(), opts...)
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }()
	leave, err := m.JoinScriptFleet(ctx, redismanager.ScriptFleet{Key: c.Key, Process: c.Name})
	if err == nil {
		defer func() { _ = leave() }()
	} else if !c.Off {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return sayWords(ctx, m, "{"+c.Name+"}")
}

// sayWords prints each new word, and "ready" after the first 100 calls.
func sayWords(ctx context.Context, m *redismanager.Manager, key string) error {
	last := ""
	for ctx.Err() == nil {
		value, err := m.ExecuteScript(context.Background(), "saying", []string{key}, nil)
		if err != nil {
			return err
		}
		if word := value.([]any)[0].(string); word != last {
			fmt.Println(word)
			last = word
		}
		time.Sleep(5 * time.Millisecond) // one processor is not for this alone
	}
	return nil
}

// member is a process of the fleet, seen from the test.
type member struct {
	cmd   *exec.Cmd
	stdin io.Closer
	mu    sync.Mutex
	words []string
	times []time.Time
	ended chan struct{}
}

func startMember(t *testing.T, c memberConfig) *member {
	t.Helper()
	text, err := json.Marshal(c)
	require.NoError(t, err)
	p := &member{cmd: exec.Command(os.Args[0]), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), memberEnv+"="+string(text))
	p.stdin, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go p.listen(out)
	t.Cleanup(p.stop)
	return p
}

func (p *member) listen(out io.Reader) {
	defer close(p.ended)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		p.mu.Lock()
		p.words, p.times = append(p.words, lines.Text()), append(p.times, time.Now())
		p.mu.Unlock()
	}
}

// stop ends the process: it sees the end of its input.
func (p *member) stop() {
	_ = p.stdin.Close()
	<-p.ended
	_ = p.cmd.Wait()
}

// said gives the words so far, and when the last one was said.
func (p *member) said() ([]string, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.words) == 0 {
		return nil, time.Time{}
	}
	return slices.Clone(p.words), p.times[len(p.times)-1]
}

func (p *member) says(word string) bool {
	words, _ := p.said()
	return len(words) > 0 && words[len(words)-1] == word
}

// waitAll waits until all members say the word, and gives how long that took
// the slowest.
func waitAll(t *testing.T, members []*member, word string, since time.Time) (slowest time.Duration) {
	t.Helper()
	for _, p := range members {
		if !assert.Eventually(t, func() bool { return p.says(word) }, 10*time.Second, 5*time.Millisecond) {
			words, _ := p.said()
			t.Fatalf("%q was not said, but %q", word, words)
		}
		_, at := p.said()
		slowest = max(slowest, at.Sub(since))
	}
	return slowest
}

// Three processes take what is pushed within two seconds; the one with updates
// switched off does not. A push that no server compiles reaches none.
func TestScriptFleetOfProcesses(t *testing.T) {
	for _, topology := range []int{0, 2} {
		t.Run(topologies[topology].name, func(t *testing.T) {
			t.Parallel() // they wait most of the time
			cfg := topologies[topology].config(t)
			key := "{" + redistest.NewPrefix(t) + ":scripts}"
			c := memberConfig{Mode: cfg.Mode, Addr: cfg.Addr, Addrs: cfg.Addrs, Key: key}
			var fleet []*member
			for _, name := range []string{"a", "b", "c"} {
				c.Name = name
				fleet = append(fleet, startMember(t, c))
			}
			c.Name, c.Off = "off", true
			off := startMember(t, c)
			waitAll(t, append(fleet, off), "embedded", time.Now())
			m := open(t, cfg, redismanager.WithScripts(saying("embedded")))
			slowest := changeFleet(t, m, key, fleet)
			t.Logf("the slowest process of 3 switched %v after the change", slowest)
			require.Less(t, slowest, 2*time.Second)
			words, _ := off.said()
			require.Equal(t, []string{"embedded"}, words)
		})
	}
}

// changeFleet pushes and rolls back, and gives the longest time to a switch.
func changeFleet(t *testing.T, m *redismanager.Manager, key string, fleet []*member) (slowest time.Duration) {
	ctx := within(t, 30*time.Second)
	for i := range 2 {
		word := fmt.Sprintf("pushed%d", i)
		start := time.Now()
		change, err := m.PushScript(ctx, key, redismanager.ScriptPush{Script: saying(word), By: "test"})
		require.NoError(t, err)
		require.Equal(t, redismanager.FleetChange{Name: "saying", Version: i + 2, Previous: i + 1, Changed: true}, change)
		slowest = max(slowest, waitAll(t, fleet, word, start))
	}
	_, err := m.PushScript(ctx, key, redismanager.ScriptPush{Script: broken("saying")})
	require.ErrorIs(t, err, redismanager.ErrScriptCompile)

	require.Eventually(t, func() bool { return runningEverywhere(t, m, key, 3) == 3 }, 5*time.Second, 10*time.Millisecond)
	start := time.Now()
	change, err := m.RollbackFleetScript(ctx, key, redismanager.FleetRollback{Name: "saying", To: 1})
	require.NoError(t, err)
	require.Equal(t, redismanager.FleetChange{Name: "saying", Version: 1, Previous: 3, Changed: true}, change)
	slowest = max(slowest, waitAll(t, fleet, "embedded", start))
	for _, p := range fleet {
		words, _ := p.said()
		require.Equal(t, "embedded pushed0 pushed1 embedded", strings.Join(words, " "))
	}
	return slowest
}

// runningEverywhere counts the processes that report the version.
func runningEverywhere(t *testing.T, m *redismanager.Manager, key string, version int) (n int) {
	state, err := m.FleetScripts(within(t, 5*time.Second), key)
	require.NoError(t, err)
	for _, p := range state.Processes {
		s, found := p.Script("saying")
		if found && s.Version == version && s.Error == "" {
			n++
		}
	}
	return n
}

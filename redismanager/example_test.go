package redismanager_test

import (
	"context"
	"fmt"
	"log"

	"github.com/statelink/statelink/embedded"
	"github.com/statelink/statelink/redismanager"
)

// A script gets a new body while the program runs, and goes back to the old one.
func ExampleManager_UpdateScript() {
	ctx := context.Background()
	srv, err := embedded.Start()
	check(err)
	defer srv.Close()
	m, err := redismanager.New(ctx, redismanager.RedisConfig{Addr: srv.Addr()}, redismanager.WithLogger(quiet),
		redismanager.WithScripts(redismanager.Script{Name: "greet", Source: "#!lua\nreturn 'hello ' .. ARGV[1]"}))
	check(err)
	defer m.Close()
	greet := func(script string) {
		text, err := m.ExecuteScript(ctx, script, []string{"key"}, []any{"world"})
		fmt.Println(script, "says", text, err)
	}
	greet("greet")
	_, err = m.UpdateScript(ctx, redismanager.Script{Name: "greet", Source: "#!lua\nreturn 'good day ' .. ARGV[1]"})
	fmt.Println("updated:", err == nil)
	greet("greet")
	greet("greet@1")
	info, err := m.Rollback(ctx, "greet")
	fmt.Println("back on version", info.Version, err)
	greet("greet")
	// Output:
	// greet says hello world <nil>
	// updated: true
	// greet says good day world <nil>
	// greet@1 says hello world <nil>
	// back on version 1 <nil>
	// greet says hello world <nil>
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Many items of any slot travel together; each has its own result.
func ExampleManager_Batch() {
	ctx := context.Background()
	srv, err := embedded.Start()
	must(err)
	defer srv.Close()
	m, err := redismanager.New(ctx, redismanager.RedisConfig{Addr: srv.Addr()}, redismanager.WithLogger(quiet),
		redismanager.WithScripts(redismanager.Script{Name: "add", Source: "#!lua\nreturn redis.call('INCRBY', KEYS[1], ARGV[1])"}))
	must(err)
	defer m.Close()
	results, err := m.Batch(ctx, []redismanager.BatchItem{
		{Script: "add", Keys: []string{"score:ann"}, Args: []any{5}},
		{Script: "add", Keys: []string{"score:bob"}, Args: []any{7}},
		{Args: []any{"LPUSH", "score:bob", "x"}}, // fails alone
		{Args: []any{"GET", "score:ann"}, ReadOnly: true},
	})
	must(err) // else nothing was sent
	for _, r := range results {
		fmt.Println(r.Value, redismanager.Classify(r.Err))
	}
	// Output:
	// 5 ok
	// 7 ok
	// <nil> wrong_type
	// 5 ok
}

// All of a transaction is applied, or nothing; its keys share a {hash tag}.
func ExampleManager_Tx() {
	ctx := context.Background()
	srv, err := embedded.Start()
	must(err)
	defer srv.Close()
	m, err := redismanager.New(ctx, redismanager.RedisConfig{Addr: srv.Addr()}, redismanager.WithLogger(quiet))
	must(err)
	defer m.Close()
	results, err := m.Tx(ctx, []redismanager.BatchItem{
		{Args: []any{"SET", "{order:1}state", "paid"}},
		{Args: []any{"RPUSH", "{order:1}log", "paid by card"}},
	})
	fmt.Println(results[0].Value, results[1].Value, err)
	_, err = m.Tx(ctx, []redismanager.BatchItem{
		{Args: []any{"SET", "{order:1}state", "sent"}},
		{Args: []any{"RPUSH", "{order:1}log"}}, // refused: so is all
	})
	fmt.Println(err != nil)
	state, err := m.Read(ctx, "GET", "{order:1}state")
	fmt.Println(state, err)
	// Output:
	// OK 1 <nil>
	// true
	// paid <nil>
}

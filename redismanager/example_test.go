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

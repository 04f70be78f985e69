package embedded_test

import (
	"context"
	"fmt"
	"log"

	"github.com/redis/go-redis/v9"

	"github.com/statelink/statelink/embedded"
)

func Example() {
	server, err := embedded.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	script := redis.NewScript("return redis.call('INCRBY', KEYS[1], ARGV[1])")
	n, err := script.Run(context.Background(), client, []string{"counter"}, 5).Int()
	fmt.Println(n, err)
	// Output: 5 <nil>
}

package statelink_test

import (
	"context"
	"fmt"
	"log"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/embedded"
	"github.com/statelink/statelink/redismanager"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func Example() {
	ctx := context.Background()
	srv, err := embedded.Start() // a Redis in this process; in production give the address of yours
	check(err)
	defer srv.Close()
	links, err := statelink.Open(ctx, redismanager.RedisConfig{Addr: srv.Addr()})
	check(err)
	defer links.Close()

	check(links.ReportPodState(ctx, "default", "game", 0, 70, statelink.RoutingReady)) // pods say how loaded they are
	check(links.ReportPodState(ctx, "default", "game", 1, 20, statelink.RoutingReady))

	pod, err := links.ComputeLinkedPodIfAbsent(ctx, "default", "u42", "game", statelink.PersistForever)
	check(err)
	fmt.Println("u42 is on pod", pod) // the least loaded

	ok, owner, err := links.TrySetLinkedPod(ctx, "default", "u42", "game", 0, statelink.PersistForever)
	check(err)
	fmt.Println("pod 0 takes u42:", ok, "- the owner is pod", owner)
	// Output:
	// u42 is on pod 1
	// pod 0 takes u42: false - the owner is pod 1
}

package statelink_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/embedded"
	"github.com/statelink/statelink/redismanager"
)

// demo opens an executor on a server inside the process.
func demo() (links *statelink.Executor, stop func()) {
	srv, err := embedded.Start()
	check(err)
	links, err = statelink.Open(context.Background(), redismanager.RedisConfig{Addr: srv.Addr()})
	check(err)
	return links, func() {
		_ = links.Close()
		_ = srv.Close()
	}
}

// A pod that drains keeps its users and gets no new ones; without any ready pod
// nobody can be placed.
func ExampleExecutor_ComputeLinkedPodIfAbsent() {
	links, stop := demo()
	defer stop()
	ctx := context.Background()

	_, err := links.ComputeLinkedPodIfAbsent(ctx, "default", "alice", "chat", statelink.PersistForever)
	fmt.Println(errors.Is(err, statelink.ErrNoReadyPod))

	check(links.ReportPodState(ctx, "default", "chat", 0, 5, statelink.RoutingReady))
	fmt.Println(links.ComputeLinkedPodIfAbsent(ctx, "default", "alice", "chat", statelink.PersistForever))

	check(links.ReportPodState(ctx, "default", "chat", 0, 6, statelink.RoutingDraining))
	check(links.ReportPodState(ctx, "default", "chat", 1, 90, statelink.RoutingReady))
	fmt.Println(links.ComputeLinkedPodIfAbsent(ctx, "default", "alice", "chat", statelink.PersistForever))
	fmt.Println(links.ComputeLinkedPodIfAbsent(ctx, "default", "bob", "chat", statelink.PersistForever))
	// Output:
	// true
	// 0 <nil>
	// 0 <nil>
	// 1 <nil>
}

// A pod takes a user before it loads the user's state. A persistent link to
// another pod refuses it; a temporary one gives way.
func ExampleExecutor_TrySetLinkedPod() {
	links, stop := demo()
	defer stop()
	ctx := context.Background()

	fmt.Println(links.TrySetLinkedPod(ctx, "default", "alice", "chat", 0, statelink.PersistForever))
	fmt.Println(links.TrySetLinkedPod(ctx, "default", "alice", "chat", 1, statelink.PersistForever))

	_, err := links.RemoveLinkedPod(ctx, "default", "alice", "chat", 60) // pod 0 lets go of her
	check(err)
	fmt.Println(links.TrySetLinkedPod(ctx, "default", "alice", "chat", 1, statelink.PersistForever))
	// Output:
	// true 0 <nil>
	// false 0 <nil>
	// true 1 <nil>
}

// A link that is removed with a time to live stays for that long as a temporary
// one, so that a user who comes back soon finds the same pod.
func ExampleExecutor_RemoveLinkedPod() {
	links, stop := demo()
	defer stop()
	ctx := context.Background()

	_, err := links.SetLinkedPod(ctx, "default", "alice", "chat", 0, statelink.PersistForever)
	check(err)
	fmt.Println(links.RemoveLinkedPod(ctx, "default", "alice", "chat", 300))
	fmt.Println(links.GetLinkedPod(ctx, "default", "alice", "chat"))
	fmt.Println(links.GetLinkedPodIfPersist(ctx, "default", "alice", "chat"))
	fmt.Println(links.GetLinkService(ctx, "default", "alice"))

	fmt.Println(links.RemoveLinkedPod(ctx, "default", "alice", "chat", 0)) // at once
	fmt.Println(links.GetLinkedPod(ctx, "default", "alice", "chat"))
	// Output:
	// true <nil>
	// 0 <nil>
	// -1 <nil>
	// map[] <nil>
	// true <nil>
	// -1 <nil>
}

// A message to many users is sent once to each pod. Users without a link are
// under NoPod.
func ExampleExecutor_BatchGetLinkedPod() {
	links, stop := demo()
	defer stop()
	ctx := context.Background()

	for uid, pod := range map[string]int{"alice": 0, "bob": 1, "carol": 0} {
		_, err := links.SetLinkedPod(ctx, "default", uid, "chat", pod, statelink.PersistForever)
		check(err)
	}
	byPod, err := links.BatchGetLinkedPod(ctx, "default", []string{"alice", "bob", "carol", "dave"}, "chat")
	fmt.Println(byPod[0], byPod[1], byPod[statelink.NoPod], err)
	// Output: [alice carol] [bob] [dave] <nil>
}

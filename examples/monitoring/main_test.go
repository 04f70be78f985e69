package main

import (
	"log"
	"os"
)

func Example() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// span set_linked_pod: Unset, 1 calls of redis
	// span get_linked_pod: Unset, 1 calls of redis
	// span get_linked_pod: Error, 0 calls of redis
	// statelink_operations_total{class="invalid_argument",op="get_linked_pod"} 1
	// statelink_operations_total{class="ok",op="get_linked_pod"} 1
	// statelink_operations_total{class="ok",op="set_linked_pod"} 1
}

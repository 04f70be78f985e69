package statelink

import (
	"errors"
	"fmt"
)

// list checks that a script's reply is an array of strings of a known length;
// length -1 accepts any even one (pairs).
func list(reply any, length int) ([]string, error) {
	items, ok := reply.([]any)
	if !ok || length >= 0 && len(items) != length || length < 0 && len(items)%2 != 0 {
		return nil, fmt.Errorf("%w: reply of a script: %s", ErrMalformedData, clip(fmt.Sprintf("%T of %v", reply, reply)))
	}
	out := make([]string, len(items))
	for i, item := range items {
		if out[i], ok = item.(string); !ok {
			return nil, fmt.Errorf("%w: element %d of a script's reply is %T", ErrMalformedData, i, item)
		}
	}
	return out, nil
}

func parsePod(word string) (int, error) {
	if word == "-1" {
		return NoPod, nil
	}
	n, err := parseUnsigned(word, MaxPod)
	if err != nil {
		return NoPod, fmt.Errorf("pod index: %w", err)
	}
	return int(n), nil
}

// decode reads a script's reply. A change that too few replicas acknowledged
// has both a reply and an error.
func decode[T any](none T, reply any, err error, parse func(reply any) (T, error)) (T, error) {
	if err != nil && !errors.Is(err, ErrNotDurable) {
		return none, err
	}
	value, problem := parse(reply)
	if problem != nil {
		return none, problem
	}
	return value, err
}

// currentAndPrevious is for scripts that answer {current pod, previous pod or
// "-1"}. There always is a current one.
func currentAndPrevious(reply any, err error) (current, previous int, _ error) {
	pair, err := decode([2]int{NoPod, NoPod}, reply, err, func(reply any) ([2]int, error) {
		words, err := list(reply, 2)
		if err != nil {
			return [2]int{NoPod, NoPod}, err
		}
		current, err := storedPod(words[0])
		return [2]int{current, previousPod(words[1])}, err
	})
	return pair[0], pair[1], err
}

// previousPod reads what a link was before it was set. The change is done: what
// was no pod index, because another program wrote it, counts as no pod.
func previousPod(word string) int {
	pod, err := parsePod(word)
	if err != nil {
		return NoPod
	}
	return pod
}

// onePod is for scripts that answer {pod}, or {"-1"} for none.
func onePod(reply any, err error) (int, error) {
	if err != nil {
		return NoPod, err
	}
	words, err := list(reply, 1)
	if err != nil {
		return NoPod, err
	}
	return parsePod(words[0])
}

// done is for scripts that answer {1} or {0}.
func done(reply any, err error) (bool, error) {
	return decode(false, reply, err, func(reply any) (bool, error) {
		items, ok := reply.([]any)
		if !ok || len(items) != 1 || items[0] != int64(0) && items[0] != int64(1) {
			return false, fmt.Errorf("%w: reply of a script: %v, want {0} or {1}", ErrMalformedData, reply)
		}
		return items[0] == int64(1), nil
	})
}

// storedPod reads the value of a link key; nil is no link.
func storedPod(value any) (int, error) {
	if value == nil {
		return NoPod, nil
	}
	word, ok := value.(string)
	if !ok || word == "-1" {
		return NoPod, fmt.Errorf("%w: link value %v", ErrMalformedData, value)
	}
	return parsePod(word)
}

package statelink

import "fmt"

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

// pods reads a reply of pod indexes, "-1" being NoPod.
func pods(reply any, err error, length int) ([]int, error) {
	if err != nil {
		return nil, err
	}
	words, err := list(reply, length)
	if err != nil {
		return nil, err
	}
	out := make([]int, len(words))
	for i, word := range words {
		if out[i], err = parsePod(word); err != nil {
			return nil, err
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

// linked reads a reply whose first pod is the one linked now: there always is
// one, so a stored "-1" is as malformed there as in storedPod.
func linked(reply any, err error, length int) ([]int, error) {
	p, err := pods(reply, err, length)
	if err == nil && p[0] == NoPod {
		return nil, fmt.Errorf("%w: the link holds no pod index but -1", ErrMalformedData)
	}
	return p, err
}

// onePod is for scripts that answer {pod}, or {"-1"} for none.
func onePod(reply any, err error) (int, error) {
	p, err := pods(reply, err, 1)
	if err != nil {
		return NoPod, err
	}
	return p[0], nil
}

// done is for scripts that answer {1} or {0}.
func done(reply any, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	items, ok := reply.([]any)
	if !ok || len(items) != 1 || items[0] != int64(0) && items[0] != int64(1) {
		return false, fmt.Errorf("%w: reply of a script: %v, want {0} or {1}", ErrMalformedData, reply)
	}
	return items[0] == int64(1), nil
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

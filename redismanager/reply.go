package redismanager

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// rawShot is a [oneShot] whose reply is read as a whole before it is decoded.
// go-redis stops decoding at some of the error replies inside an array (an
// item's error in the answer to EXEC, a result of redis.pcall in a table), and
// takes what is left of the array for the replies to the next commands.
type rawShot struct {
	*redis.RawCmd
	written  bool
	answered bool
}

func newRawShot(ctx context.Context, args []any) *rawShot {
	return &rawShot{RawCmd: redis.NewRawCmd(ctx, args...)}
}

// NoRetry keeps go-redis from sending the command again after a lost reply.
func (c *rawShot) NoRetry() bool { return true }

// Args is called when the command is written to the connection.
func (c *rawShot) Args() []any {
	c.written = true
	return c.RawCmd.Args()
}

// SetErr is called when the reply was read, or will not come. It shows go-redis
// the error replies: after some of them it does not use a connection again. If a
// later reply cannot be read, go-redis gives its error to the commands that were
// answered before, too: their answer stands.
func (c *rawShot) SetErr(err error) {
	if c.answered {
		return
	}
	if raw := c.RawCmd.Val(); err == nil && len(raw) > 0 {
		c.answered = true
		if raw[0] == '-' || raw[0] == '!' {
			_, err = decodeReply(raw)
		}
	}
	c.RawCmd.SetErr(err)
}

// attempt says what became of the command.
func (c *rawShot) attempt(ctx context.Context, start time.Time, client *redis.Client) attempt {
	a := attempt{err: c.Err(), written: c.written, node: client.Options().Addr, client: client}
	if c.answered {
		a.value, a.err = decodeReply(c.Val())
	}
	return a.finish(ctx, start)
}

// replyText gives an error reply the type that go-redis gives it, which has no
// exported name.
func replyText[T ~string](_ T, text string) T { return T(text) }

// decodeReply decodes one whole reply of RESP 2 or 3 into what go-redis makes of
// it. An error reply is the error; inside an array it is an element.
func decodeReply(raw []byte) (any, error) {
	d := replyDecoder{rest: raw}
	value := d.next(0)
	if d.failed || len(d.rest) > 0 {
		return nil, fmt.Errorf("%w: a reply of %d bytes cannot be decoded", ErrMalformedData, len(raw))
	}
	if err, isError := value.(redis.Error); isError {
		return nil, err
	}
	return value, nil
}

// replyDecoder reads a reply from memory. After a failure it gives nil for ever.
type replyDecoder struct {
	rest   []byte
	failed bool
}

// maxReplyDepth is deeper than anything that Redis or Lua nests.
const maxReplyDepth = 512

func (d *replyDecoder) next(depth int) any {
	line := d.line()
	if len(line) == 0 || depth > maxReplyDepth {
		return d.fail()
	}
	kind, text := line[0], string(line[1:])
	switch kind {
	case '+':
		return text
	case '-':
		return replyText(redis.Nil, text)
	case '$', '=', '!':
		return d.bulk(kind, text)
	case '*', '~', '>':
		return d.array(text, depth)
	case '%':
		return d.table(text, depth)
	case '|': // attributes of the value that follows
		d.table(text, depth)
		return d.next(depth + 1)
	default:
		return d.scalar(kind, text)
	}
}

func (d *replyDecoder) scalar(kind byte, text string) any {
	var value any
	var err error
	switch kind {
	case ':':
		value, err = strconv.ParseInt(text, 10, 64)
	case ',':
		value, err = parseDouble(text)
	case '#':
		if text == "t" || text == "f" {
			return text == "t"
		}
		return d.fail()
	case '(':
		if n, ok := new(big.Int).SetString(text, 10); ok {
			return n
		}
		return d.fail()
	case '_':
		return nil
	default:
		return d.fail()
	}
	if err != nil {
		return d.fail()
	}
	return value
}

func parseDouble(text string) (float64, error) {
	if text == "-nan" {
		return math.NaN(), nil
	}
	return strconv.ParseFloat(text, 64)
}

func (d *replyDecoder) bulk(kind byte, size string) any {
	n, ok := d.length(size, 1)
	if !ok {
		return nil
	}
	text := string(d.rest[:n])
	d.rest = d.rest[n:]
	if rest, found := bytes.CutPrefix(d.rest, []byte("\r\n")); found {
		d.rest = rest
	} else {
		return d.fail()
	}
	switch {
	case kind == '!':
		return replyText(redis.Nil, text)
	case kind == '$':
		return text
	case len(text) >= 4 && text[3] == ':':
		return text[4:]
	default:
		return d.fail()
	}
}

func (d *replyDecoder) array(size string, depth int) any {
	n, ok := d.length(size, 3)
	if !ok {
		return nil
	}
	list := make([]any, n)
	for i := range list {
		list[i] = d.next(depth + 1)
	}
	return list
}

func (d *replyDecoder) table(size string, depth int) any {
	n, ok := d.length(size, 6)
	if !ok {
		return nil
	}
	table := make(map[any]any, n)
	for range n {
		key, value := d.next(depth+1), d.next(depth+1)
		switch key.(type) {
		case []any, map[any]any:
			return d.fail()
		}
		table[key] = value
	}
	return table
}

// length reads how many bytes, values or pairs follow, each of at least so many
// bytes: more than the rest can hold is no length. ok is false for nil and a failure.
func (d *replyDecoder) length(text string, least int) (n int, ok bool) {
	n, err := strconv.Atoi(text)
	if err != nil || n < -1 || n > len(d.rest)/least {
		d.fail()
		return 0, false
	}
	return n, n >= 0
}

func (d *replyDecoder) line() []byte {
	line, rest, found := bytes.Cut(d.rest, []byte("\r\n"))
	if !found {
		return nil
	}
	d.rest = rest
	return line
}

func (d *replyDecoder) fail() any {
	d.failed, d.rest = true, nil
	return nil
}
